/**
 * Virtual addresses that several services share by an API, which is a stand-in here: objects, and one ConfigMap.
 */
import assert from "node:assert/strict";
import { StatusError } from "../../../extproc/kubernetes/api.ts";
import { SharedAddresses } from "../../../extproc/mesh/shared-addresses.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { StatusAddresses } from "../../../extproc/mesh/status-addresses.ts";
import { FakeClock } from "../server/fake-clock.ts";
import { objectsOf } from "./objects.ts";

/** Six addresses. */
const RANGES = { ipv4: "240.240.0.0/29", ipv6: "2001:2::/48" };
const HOUR_MS = 3_600_000;

interface Given {
  readonly host: string;
  readonly value: string;
}

class World {
  readonly clock = new FakeClock();
  readonly objects = new ObjectStore();
  /** By host, its first address, as statuses have them. */
  readonly given = new Map<string, string>();
  /** The ConfigMap. */
  #kept: { readonly version: number; readonly body: object } | undefined;
  readonly #services: SharedAddresses[] = [];

  async open(): Promise<SharedAddresses> {
    const { clock, objects } = this;
    const service = await SharedAddresses.open({
      book: new StatusAddresses(
        { request: async <T>(method: string, path: string, body?: object) => this.#answer(method, path, body) as T },
        "dns-policy",
      ),
      objects,
      listed: Promise.resolve(),
      now: () => clock.now(),
      after: (milliseconds, task) => void clock.after(milliseconds, task),
      onTrouble: (fields, message) => assert.fail(`${message} ${JSON.stringify(fields)}`),
    });
    service.setRanges(RANGES);
    this.#services.push(service);
    return service;
  }

  add(name: string): void {
    this.#set(name, []);
    for (const service of this.#services) service.give(hostOf(name));
  }

  remove(name: string): void {
    this.objects.apply({ delete: [{ kind: "ServiceEntry", namespace: "prod", name }] });
    this.given.delete(`${name}.example`);
    for (const service of this.#services) service.release(hostOf(name));
  }

  #set(name: string, addresses: readonly Given[]): void {
    const spec = `{ hosts: [${name}.example], resolution: DNS, ports: [{ number: 80, name: http }] }`;
    const head = `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${name}, namespace: prod }`;
    const status = JSON.stringify({ addresses });
    this.objects.apply({ set: objectsOf(`${head}\nspec: ${spec}\nstatus: ${status}\n`) });
  }

  /** With what is answered meanwhile. */
  async pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 100) {
      this.clock.advance(100);
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What is compressed for the ConfigMap is so in another thread, which no clock of a test moves. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.pass(100);
  }

  /** How often it was written. */
  get written(): number {
    return this.#kept?.version ?? 0;
  }

  async stop(): Promise<void> {
    for (const service of this.#services.splice(0)) await service.close();
  }

  #answer(method: string, path: string, body: object = {}): unknown {
    if (method === "PATCH") {
      const { addresses } = (body as { status: { addresses: readonly Given[] } }).status;
      for (const { host, value } of addresses) if (!value.includes(":")) this.given.set(host, value);
      this.#set(path.split("/").at(-2) ?? "", addresses);
      return {};
    }
    const name = "dns-policy-released-addresses";
    const kept = this.#kept;
    if (method === "GET" && kept === undefined) throw new StatusError(404, "no such ConfigMap");
    if (method !== "GET") {
      const expected = (body as { metadata: { resourceVersion?: string } }).metadata.resourceVersion;
      if (expected !== kept?.version.toString()) throw new StatusError(409, "somebody else was faster");
      this.#kept = { version: (kept?.version ?? 0) + 1, body };
    }
    const { version = 0, body: stored = {} } = this.#kept ?? {};
    assert.ok(path.includes("/namespaces/dns-policy/configmaps"));
    return { ...stored, metadata: { name, resourceVersion: version.toString() } };
  }
}

const hostOf = (name: string) => `prod/${name}/${name}.example`;

describe("virtual addresses that services share", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.stop());

  it("are given by the one that leads, until it does not any more by the clock", async () => {
    const [first, second] = [await world.open(), await world.open()];
    world.add("a");
    await world.pass(3000);
    assert.equal(world.given.size, 0);
    first.lead(world.clock.now() + 5000);
    await world.pass(2000);
    assert.equal(world.given.size, 1);
    await world.pass(4000);
    world.add("b");
    await world.pass(2000);
    assert.equal(world.given.size, 1, "nobody has said that it leads no more");
    second.lead(world.clock.now() + 5000);
    await world.pass(2000);
    assert.equal(world.given.size, 2);
  });

  it("are nobody else's for a day after they were given back, also when all services were started anew", async () => {
    const first = await world.open();
    first.lead(world.clock.now() + HOUR_MS);
    const names = ["a", "b", "c", "d", "e", "f"];
    for (const name of names) world.add(name);
    await world.pass(2000);
    const address = world.given.get("a.example");
    assert.equal(new Set(world.given.values()).size, 6);
    world.remove("a");
    await world.until(() => world.written === 1);
    await world.stop();

    const second = await world.open();
    second.lead(world.clock.now() + 48 * HOUR_MS);
    world.add("new");
    world.add("a");
    await world.until(() => world.given.has("a.example"));
    assert.equal(world.given.get("a.example"), address, "it comes back to its own");
    assert.equal(world.given.get("new.example"), undefined);
    world.remove("a");
    await world.until(() => world.written > 1);
    world.clock.advance(25 * HOUR_MS);
    world.add("new");
    await world.until(() => world.given.has("new.example"));
    assert.equal(world.given.get("new.example"), address);
  });
});
