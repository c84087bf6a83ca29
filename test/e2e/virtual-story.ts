/**
 * Told in a network and mount namespace of its own, as root: `virtual-story.ts DIRECTORY`.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { eventually } from "./clients/deadline.ts";
import type { Dialled } from "./dialler.ts";
import { SERVER_PORT, serviceEntry, VirtualWorld } from "./virtual-world.ts";

const run = promisify(execFile);
const [directory = ""] = process.argv.slice(2);
const NOBODY = 65_534;
const HOSTS = {
  "one.db.example": "10.1.0.1",
  "two.db.example": "10.1.0.2",
  "three.db.example": "10.1.0.3",
  "vm.db.example": "10.1.0.4",
};
const VIRTUAL = /^(240\.240\.|2001:2::)/;
type Host = keyof typeof HOSTS;
const byName = (...names: string[]) => names.map((name) => serviceEntry(name, `${name}.db.example`)).join("");
/** Its other endpoint is nobody's. */
const STATIC = "resolution: STATIC, addresses: [240.240.1.4], endpoints: [{address: 10.1.0.9}, {address: 10.1.0.4}]";
const ENTRIES = byName("one", "two") + serviceEntry("vm", "vm.db.example", STATIC);

const world = await VirtualWorld.start(directory, { entries: ENTRIES, hosts: HOSTS, concurrency: 2 });
const { stack, dialler } = world;
const dial = (name: string, family?: 4 | 6) =>
  dialler.dial({ name, port: SERVER_PORT, ...(family === undefined ? {} : { family }) });

/** Workers hear of a name, and Envoy of its addresses, a moment after the policy service. Returns the virtual address. */
async function reaches(host: Host, family?: 4 | 6): Promise<string> {
  const { said, address } = await eventually(10_000, `a connection to ${host} by a virtual address`, async () => {
    const result = await dial(host, family);
    return "said" in result && VIRTUAL.test(result.address) && result;
  });
  assert.equal(said, HOSTS[host]);
  return address;
}
const count = async (pattern: RegExp) => [...(await stack.stats(pattern)).values()].reduce((sum, one) => sum + one, 0);
const asks = async (port: number, uid: number) => {
  const words = ["+tcp", "+short", "@127.0.0.1", "-p", `${port}`, "one.db.example"];
  return (await run("dig", words, { uid, gid: uid })).stdout.trim();
};

try {
  // Each name its own server, though all are at one port: by name, by address, over both families.
  for (const family of [4, 6] as const)
    for (const host of ["one.db.example", "two.db.example"] as const) await reaches(host, family);
  // An endpoint that does not answer costs nobody a connection.
  await reaches("vm.db.example", 4);
  for (let time = 0; time < 6; time++) assert.equal("said" in (await dial("vm.db.example", 4)), true);
  assert.ok((await count(/^tcp\.egress\/default\/two\/two_db_example\/5432\.downstream_cx_total$/)) >= 2);

  // An address that is nobody's leads nowhere.
  const unknown = await dial("240.240.255.254");
  assert.deepEqual(unknown, { error: "closed" });
  assert.equal(await count(/^tcp\.virtual_unknown\.downstream_cx_total$/), 1);

  // Envoy asks as a tenant that sees no virtual addresses; nobody else does.
  assert.equal(await asks(world.resolverPort, 0), HOSTS["one.db.example"]);
  assert.match(await asks(world.resolverPort, NOBODY), /^240\.240\./);

  // What is pushed for one service leaves connections to others alone.
  assert.equal("said" in (await dialler.hold({ name: "one.db.example", port: SERVER_PORT, family: 4 })), true);
  await world.apply(ENTRIES + byName("three"));
  await reaches("three.db.example");
  const gone = await reaches("two.db.example", 4);
  await world.apply(byName("one", "three"));
  await eventually(10_000, "an address that is nobody's any more", async () => "error" in (await dial(gone)));
  await reaches("three.db.example");
  await eventually(
    10_000,
    "the removed cluster to go",
    async () => (await count(/^cluster\.egress\/default\/two\/.*membership_total$/)) === 0,
  );
  assert.ok((await count(/^listener_manager\.listener_in_place_updated$/)) >= 2, "expected updates in place");
  assert.deepEqual(await dialler.say("still there?"), { said: "still there?" });

  // While another name takes the place of an endpoint's, nobody finds the door closed.
  const moving = (to: string) =>
    serviceEntry("moving", "moving.db.example", `resolution: DNS, endpoints: [{address: ${to}}]`);
  const others = byName("one", "three");
  await world.apply(others + moving("two.db.example"));
  await eventually(10_000, "the name that moves", async () => "said" in (await dial("moving.db.example")));
  let isMoving = true;
  const results: Dialled[] = [];
  const dialling = (async () => {
    const dials = Array.from({ length: 20 }, () => ({ name: "moving.db.example", port: SERVER_PORT }));
    while (isMoving) results.push(...(await dialler.dialAll(dials)));
  })();
  for (let time = 0; time < 10; time++) {
    await world.apply(others + moving(time % 2 === 0 ? "three.db.example" : "two.db.example"));
    await sleep(100);
  }
  isMoving = false;
  await dialling;
  assert.deepEqual(
    results.filter((result) => "error" in result),
    [],
  );
  const reached = new Set(results.map((result) => "said" in result && result.said));
  assert.deepEqual([...reached].sort(), [HOSTS["two.db.example"], HOSTS["three.db.example"]]);

  // Without the policy service, and with a new one.
  await stack.service.kill();
  await reaches("one.db.example");
  await stack.service.restart();
  await reaches("three.db.example");
  assert.deepEqual(await dialler.say("and now?"), { said: "and now?" });
  await world.apply(ENTRIES);
  await reaches("two.db.example");
  assert.deepEqual(await dialler.say("and now?"), { said: "and now?" });

  // With a new Envoy, and another way to capture.
  await stack.restartEnvoy();
  await reaches("two.db.example");
  assert.equal(await world.capture("remove"), 0);
  assert.equal("error" in (await dial("one.db.example")), true);
  assert.equal(await world.capture("install", "iptables"), 0);
  assert.equal(await world.capture("install", "iptables"), 0, "once more changes nothing");
  for (const family of [4, 6] as const) await reaches("one.db.example", family);
  assert.equal(await world.capture("remove", "iptables"), 0);
  console.log("told to the end");
} catch (error) {
  console.log(stack.envoy.output, stack.service.program.output);
  throw error;
} finally {
  await world.stop();
}
