/**
 * In a network and mount namespace of its own, as root: `egress-main.ts DIRECTORY SIZE`. Sends its figures.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../e2e/clients/deadline.ts";
import type { Dialled } from "../../e2e/dialler.ts";
import { SERVER_PORT, serviceEntry, VirtualWorld } from "../../e2e/virtual-world.ts";

export interface EgressSize {
  /** To each of two names. */
  readonly connections: number;
  readonly entries: number;
  readonly updates: number;
}

export interface EgressFigures {
  /** Connections by a virtual address that were answered by another server than the name's. */
  wrong: number;
  /** Of each name, the least. */
  reached: number;
  failed: number;
  failedWithEnvoy: number;
  pushes: number;
  serviceKills: number;
  envoyRestarts: number;
  /** Whether a connection outlived what was pushed beside it, for so long. */
  kept: boolean;
  keptMs: number;
  entries: number;
  loadMs: number;
  /** Sorted. */
  updateMs: number[];
  envoyMiB: [number, number];
  serviceMiB: [number, number];
}

const [directory = "", size = ""] = process.argv.slice(2);
const { connections, entries, updates } = JSON.parse(size) as EgressSize;
const AT_ONCE = 8;
const LOAD_MS = 120_000;
const PUSH_EVERY_MS = 500;
const VIRTUAL = /^(240\.240\.|2001:2::)/;

const TWO = ["one", "two"].map((name, number) => ({ host: `${name}.db.example`, address: `10.1.0.${number + 1}` }));
const MANY = Array.from({ length: entries }, (_, number) => ({
  host: `h${number}.db.example`,
  address: `10.1.${1 + (number >> 8)}.${number & 255}`,
}));
const byName = (hosts: readonly { readonly host: string }[]) =>
  hosts.map(({ host }) => serviceEntry(host.replace(/\..*/, ""), host)).join("");
const moving = (to: string) =>
  serviceEntry("moving", "moving.db.example", `resolution: DNS, endpoints: [{address: ${to}}]`);

const world = await VirtualWorld.start(directory, {
  entries: byName(TWO) + moving("one.db.example"),
  hosts: Object.fromEntries([...TWO, ...MANY].map(({ host, address }) => [host, address])),
  concurrency: 2,
});
const { stack, dialler } = world;
const mib = (bytes: number) => bytes / 2 ** 20;
const figures: EgressFigures = {
  wrong: 0,
  reached: 0,
  failed: 0,
  failedWithEnvoy: 0,
  pushes: 0,
  serviceKills: 0,
  envoyRestarts: 0,
  kept: false,
  keptMs: 0,
  entries,
  loadMs: 0,
  updateMs: [],
  envoyMiB: [0, 0],
  serviceMiB: [0, 0],
};

/** What the server says that the name leads to by its virtual address; undefined where there is none, or nobody answers. */
function saidBy(dialled: Dialled | undefined): string | undefined {
  return dialled !== undefined && "said" in dialled && VIRTUAL.test(dialled.address) ? dialled.said : undefined;
}

const reaches = (host: string, address: string) =>
  eventually(
    LOAD_MS,
    `${host} to reach ${address}`,
    async () => {
      const said = saidBy(await dialler.dial({ name: host, port: SERVER_PORT }));
      return said === address;
    },
    2,
  );

async function load(): Promise<void> {
  await reaches("moving.db.example", "10.1.0.1");
  figures.envoyMiB[0] = mib(stack.envoy.residentBytes);
  figures.serviceMiB[0] = mib(stack.service.program.residentBytes);
  const start = performance.now();
  await world.add(byName(MANY));
  for (const { host, address } of [MANY[MANY.length - 1], MANY[0]].filter((one) => one !== undefined)) {
    await reaches(host, address);
  }
  figures.loadMs = performance.now() - start;
  const all = await dialler.dialAll(
    MANY.map(({ host }) => ({ name: host, port: SERVER_PORT })),
    AT_ONCE,
  );
  for (const [at, { address }] of MANY.entries()) {
    const said = saidBy(all[at]);
    if (said !== undefined && said !== address) figures.wrong++;
    if (said === undefined) figures.failedWithEnvoy++;
  }
  figures.failed = figures.failedWithEnvoy;
  figures.envoyMiB[1] = mib(stack.envoy.residentBytes);
  figures.serviceMiB[1] = mib(stack.service.program.residentBytes);
}

async function update(): Promise<void> {
  for (let number = 0; number < updates; number++) {
    const to = TWO[(number + 1) % 2] as (typeof TWO)[0];
    const start = performance.now();
    await world.add(moving(to.host));
    await reaches("moving.db.example", to.address);
    figures.updateMs.push(performance.now() - start);
  }
  figures.updateMs.sort((a, b) => a - b);
}

let envoyIsAway = false;

/** Entries come, go and change; the policy changes; the service and Envoy are started anew. */
async function disturb(held: number, progress: () => number): Promise<void> {
  const restarts = [0.25, 0.5, 0.75];
  for (let number = 0; restarts.length > 0 || progress() < 1; number++) {
    await sleep(PUSH_EVERY_MS);
    await world.add(
      serviceEntry(`new${number % 5}`, `h${number % entries}.db.example`) + moving(TWO[number % 2]?.host ?? ""),
    );
    figures.pushes++;
    if (progress() < (restarts[0] ?? 2)) continue;
    restarts.shift();
    if (restarts.length === 1) {
      figures.kept = "said" in (await dialler.say("still there?"));
      figures.keptMs = performance.now() - held;
      envoyIsAway = true;
      await stack.restartEnvoy();
      await reaches(TWO[0]?.host ?? "", TWO[0]?.address ?? "");
      envoyIsAway = false;
      figures.envoyRestarts++;
    } else {
      await stack.service.kill();
      await sleep(PUSH_EVERY_MS);
      await stack.service.restart();
      figures.serviceKills++;
    }
  }
}

async function connect(held: number): Promise<void> {
  const reached = TWO.map(() => 0);
  const least = () => Math.min(...reached);
  let disturbing = true;
  void disturb(held, () => least() / connections).finally(() => {
    disturbing = false;
  });
  while (disturbing || least() < connections) {
    const dials = Array.from({ length: 100 }, (_, at) => TWO[at % 2] as (typeof TWO)[0]);
    const wasAway = envoyIsAway;
    const results = await dialler.dialAll(
      dials.map(({ host }) => ({ name: host, port: SERVER_PORT })),
      AT_ONCE,
    );
    for (const [at, { address }] of dials.entries()) {
      const said = saidBy(results[at]);
      if (said === address) reached[at % 2] = (reached[at % 2] ?? 0) + 1;
      else if (said !== undefined) figures.wrong++;
      else {
        figures.failed++;
        if (!wasAway && !envoyIsAway) figures.failedWithEnvoy++;
      }
    }
  }
  figures.reached = least();
}

try {
  await load();
  await dialler.hold({ name: TWO[0]?.host ?? "", port: SERVER_PORT });
  const held = performance.now();
  await update();
  await connect(held);
  process.send?.(figures);
} catch (error) {
  console.error(stack.envoy.output.slice(-4000), stack.service.program.output.slice(-4000));
  throw error;
} finally {
  await world.stop();
}
process.disconnect();
