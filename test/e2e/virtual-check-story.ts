/**
 * Told in a network and mount namespace of its own, as root: `virtual-check-story.ts DIRECTORY`. The servers speak first.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Connections } from "../../extproc/telemetry/questions.ts";
import { eventually } from "./clients/deadline.ts";
import { OTHERS, SERVER_PORT, serviceEntry, VirtualWorld } from "./virtual-world.ts";

const [directory = ""] = process.argv.slice(2);
const ONE = "one.db.example";
const HIDDEN = "hidden.db.example";
const AWAY = "away.db.example";
/** Has an address that somebody wrote. */
const VM = "vm.db.example";
const VM_ADDRESS = "240.240.1.4";
const HOSTS = { [ONE]: "10.1.0.1", [HIDDEN]: "10.1.0.2", [VM]: "10.1.0.4" };

const CLIENTS = `---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: stranger}
spec:
  match: [{cidrs: ["${OTHERS.stranger}/32"]}]
  upstream: public
  namespaces: [elsewhere]
  isolation: {discover: All}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: denied}
spec: {match: [{cidrs: ["${OTHERS.denied}/32"]}], upstream: public, namespaces: [default], isolation: {}}
---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: databases}
spec:
  priority: 100
  subject: {tenants: [denied]}
  rules: [{name: not-one, match: {names: [${ONE}]}, action: Deny}]
`;
const ENTRIES =
  CLIENTS +
  serviceEntry("one", ONE) +
  serviceEntry(
    "vm",
    VM,
    `resolution: STATIC, exportTo: ["."], addresses: [${VM_ADDRESS}], endpoints: [{address: ${HOSTS[VM]}}]`,
  ) +
  serviceEntry("hidden", HIDDEN, 'resolution: DNS, exportTo: ["."]') +
  serviceEntry("away", AWAY, "resolution: DNS, endpoints: [{address: 10.1.0.9}]");

const log = (directory: string) => join(directory, "connections.jsonl");
const world = await VirtualWorld.start(directory, {
  entries: ENTRIES,
  hosts: HOSTS,
  check: true,
  token: "a secret",
  serve: (own) => ["--connection-log", log(own)],
});
const { stack, dialler } = world;
const addresses = new Map<string, string>();

/** By name as the usual client, by its virtual address as another: none of these would be told the address. */
const dial = (host: string, from?: string) => {
  const name = from === undefined ? host : (addresses.get(host) ?? "");
  return dialler.dial({ name, port: SERVER_PORT, ...(from === undefined ? {} : { from }) });
};
async function reaches(host: keyof typeof HOSTS, from?: string): Promise<void> {
  const { said, address } = await eventually(10_000, `a connection to ${host}`, async () => {
    const result = await dial(host, from);
    return "said" in result && result;
  });
  assert.equal(said, HOSTS[host]);
  addresses.set(host, address);
}
async function logged(client: string, host: string) {
  return eventually(5000, `a connection of ${client} in the log`, async () => {
    const lines = (await readFile(log(stack.directory), "utf8")).trimEnd().split("\n");
    const records = lines.filter((line) => line !== "").map((line) => JSON.parse(line));
    const { time: _, ...last } = records.findLast((line) => line.client === client) ?? {};
    return last.address === addresses.get(host) && last;
  });
}
const refusal = (client: string, host: string, tenant: string, why: Record<string, string>) => ({
  ...{ tenant, client, address: addresses.get(host), port: SERVER_PORT },
  ...{ outcome: "refused", ...why },
});

try {
  // Nobody is asked of anything so far: without a word of connections, whoever knows an address may.
  for (const host of [ONE, HIDDEN] as const) await reaches(host);
  await reaches(HIDDEN, OTHERS.stranger);

  // Hidden by exportTo, denied by a rule, known to nobody.
  await world.apply(ENTRIES, ", connections: {}");
  for (const host of [ONE, HIDDEN] as const) await reaches(host);
  await reaches(ONE, OTHERS.stranger);
  assert.deepEqual(await dial(HIDDEN, OTHERS.stranger), { error: "closed" });
  const unknown = { reason: "no answer had this address" };
  assert.deepEqual(await logged(OTHERS.stranger, HIDDEN), refusal(OTHERS.stranger, HIDDEN, "stranger", unknown));
  await reaches(HIDDEN, OTHERS.denied);
  assert.deepEqual(await dial(ONE, OTHERS.denied), { error: "closed" });
  const denied = { name: `${ONE}.`, reason: "the name is denied", policy: "databases", rule: "not-one" };
  assert.deepEqual(await logged(OTHERS.denied, ONE), refusal(OTHERS.denied, ONE, "denied", denied));

  // By an address that nobody asked for, where the mesh knows whose it is.
  addresses.set(VM, VM_ADDRESS);
  await reaches(VM, "10.0.0.2");
  assert.deepEqual(await dial(VM, OTHERS.stranger), { error: "closed" });

  // What became of those that were allowed.
  await eventually(
    10_000,
    "the name of a server that is away",
    async () => (await dial(AWAY)) && (await failures()) > 0,
  );
  const { tenants } = await connections();
  assert.ok((tenants.find(({ tenant }) => tenant === "pod")?.connected ?? 0) >= 2, JSON.stringify(tenants));

  // A connection that is open stays so; while nobody can be asked, none is opened.
  assert.equal("said" in (await dialler.hold({ name: ONE, port: SERVER_PORT })), true);
  await stack.service.kill();
  assert.deepEqual(await dial(addresses.get(ONE) ?? "", undefined), { error: "closed" });
  assert.deepEqual(await dialler.say("still there?"), { said: "still there?" });
  await stack.service.restart();
  await reaches(ONE);

  // Told of, and let through.
  await world.apply(ENTRIES, ", connections: {mode: Audit}");
  await reaches(HIDDEN, OTHERS.stranger);
  assert.equal((await logged(OTHERS.stranger, HIDDEN)).outcome, "would_refuse");
  console.log("told to the end");
} catch (error) {
  console.log(stack.envoy.output, stack.service.program.output);
  throw error;
} finally {
  await world.stop();
}

async function connections(): Promise<Connections> {
  return JSON.parse((await stack.service.request("GET", "/v1/telemetry/connections")).body);
}

async function failures(): Promise<number> {
  return (await connections()).unreachable.find(({ name }) => name === `${AWAY}.`)?.count ?? 0;
}
