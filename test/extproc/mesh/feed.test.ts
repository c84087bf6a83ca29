import assert from "node:assert/strict";
import type { MeshTables } from "../../../extproc/compiled/snapshot.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import type { MeshChannel, MeshUpdateMessage } from "../../../extproc/mesh/feed.ts";
import { Mesh } from "../../../extproc/mesh/mesh.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { VirtualAddresses } from "../../../extproc/mesh/virtual-addresses.ts";
import { compileText } from "../compile/compile-text.ts";
import { objectsOf } from "./objects.ts";

const SERVICES = ["web", "data", "other"]
  .map(
    (namespace) =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: ${namespace} }\nspec: { clusterIP: 10.0.0.1 }\n`,
  )
  .join("---\n");

function tablesOf(isolation: string): MeshTables {
  const head = "apiVersion: dns.mesh/v1alpha1\nkind: Tenant\n";
  return compileText(
    `${head}metadata: { name: web }\nspec: { namespaces: [web], isolation: ${isolation}, upstream: up }\n---\n` +
      `${head}metadata: { name: data }\nspec: { namespaces: [data], isolation: {}, upstream: up }\n---\n` +
      "apiVersion: dns.mesh/v1alpha1\nkind: Upstream\nmetadata: { name: up }\nspec: { protocol: TCP, servers: [{ address: 127.0.0.1 }] }\n",
  ).policy.tables.mesh;
}

/** What a worker makes of what it is told: names of each view. */
class Worker implements MeshChannel {
  readonly updates: MeshUpdateMessage[] = [];
  isCongested = false;
  #free: (() => void) | undefined;
  readonly #names = new Map<string, number>();
  readonly #views = new Map<string, readonly number[]>();

  send(update: MeshUpdateMessage): void {
    this.updates.push(update);
    if (update.reset) {
      this.#names.clear();
      this.#views.clear();
    }
    for (const { name, group, gone } of update.names ?? []) {
      const key = `${presentName(name)} ${group}`;
      if (gone) this.#names.delete(key);
      else this.#names.set(key, group);
    }
    for (const { id, groups } of update.views ?? []) this.#views.set(id, groups);
  }

  whenFree(task: () => void): void {
    this.#free = task;
  }

  free(): void {
    this.isCongested = false;
    this.#free?.();
  }

  services(view: string): string[] {
    const groups = this.#views.get(view) ?? [];
    const names = [...this.#names]
      .filter(([, group]) => groups.includes(group))
      .map(([key]) => key.split(". ")[0] ?? "");
    return names.filter((name) => /^\w+\.\w+\.svc\.cluster\.local$/.test(name)).sort();
  }
}

async function start(isolation: string) {
  const objects = new ObjectStore();
  const later: (() => void)[] = [];
  const mesh = new Mesh({
    objects,
    virtualAddresses: await VirtualAddresses.open(() => 0),
    after: (_, task) => void later.push(task),
    onExhausted: () => {},
    onError: (error) => assert.fail(error),
  });
  objects.apply({ set: objectsOf(SERVICES) });
  const tables = tablesOf(isolation);
  const pass = () => {
    for (const task of later.splice(0)) task();
  };
  mesh.configure(tables);
  pass();
  const worker = new Worker();
  const member = mesh.join(worker, "node-1");
  const [data = "", web = ""] = tables.views.map(({ id }) => id);
  return { objects, mesh, worker, member, pass, later, web, data };
}

describe("what a worker is told of the mesh", () => {
  it("is nothing before it asks, and then the names of its views", async () => {
    const { worker, member, web, data } = await start("{ from: [data] }");
    assert.equal(worker.updates.length, 0);
    member.interested([web]);
    assert.equal(worker.updates[0]?.reset, true);
    assert.equal(worker.updates.at(-1)?.complete, true);
    assert.deepEqual(worker.services(web), ["a.data.svc.cluster.local", "a.web.svc.cluster.local"]);
    // Nothing of a namespace that none of its tenants may know ever leaves.
    const told = worker.updates.flatMap(({ names = [] }) => names.map(({ name }) => presentName(name)));
    assert.ok(!told.join().includes("other"), told.join());
    const before = worker.updates.length;
    member.interested([web, data]);
    assert.deepEqual(worker.services(data), ["a.data.svc.cluster.local"]);
    // Names that it has already are not told again.
    assert.deepEqual(
      worker.updates.slice(before).flatMap(({ names = [] }) => names),
      [],
    );
  });

  it("is what a Sidecar of the tenant's namespace lets its workloads reach", async () => {
    const { objects, worker, member, pass, later, web } = await start("{ discover: All }");
    member.interested([web]);
    const all = ["a.data.svc.cluster.local", "a.other.svc.cluster.local", "a.web.svc.cluster.local"];
    assert.deepEqual(worker.services(web), all);
    const sidecar = (hosts: string, selector = "") =>
      `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: default, namespace: web }\nspec: { egress: [{ hosts: [${hosts}] }]${selector} }\n`;
    const seen = (hosts: string, selector?: string) => {
      objects.apply({ set: objectsOf(sidecar(hosts, selector)) });
      while (later.length > 0) pass();
      return worker.services(web);
    };
    assert.deepEqual(seen('"./*", "data/*"'), [all[0], all[2]]);
    assert.deepEqual(seen('"*/a.other.svc.cluster.local"'), [all[1]]);
    assert.deepEqual(seen('"other/*.web.svc.cluster.local", "./*.svc.cluster.local"'), [all[2]]);
    assert.deepEqual(seen('"~/*"'), []);
    // Of some workloads only.
    assert.deepEqual(seen('"~/*"', ", workloadSelector: { labels: { app: a } }"), all);
    assert.deepEqual(seen('"*/*"'), all);
    objects.apply({ set: objectsOf(sidecar('"~/*"').replace("namespace: web", "namespace: istio-system")) });
    objects.apply({ delete: [{ kind: "Sidecar", namespace: "web", name: "default" }] });
    while (later.length > 0) pass();
    assert.deepEqual(worker.services(web), []);
  });

  it("is told changes of a moment at once, each name once, as it is then", async () => {
    const { objects, worker, member, pass, later, web } = await start("{}");
    member.interested([web]);
    const before = worker.updates.length;
    for (const last of [2, 3, 4]) objects.apply({ set: objectsOf(SERVICES.replace("10.0.0.1", `10.0.0.${last}`)) });
    objects.apply({ delete: [{ kind: "Service", namespace: "other", name: "a" }] });
    assert.equal(later.length, 1);
    pass();
    const names = worker.updates.slice(before).flatMap((update) => update.names ?? []);
    const shown = names.map(({ name, gone }) => `${presentName(name)}${gone ? " gone" : ""}`);
    assert.deepEqual(shown.sort(), [
      "1.0.0.10.in-addr.arpa. gone",
      "2.0.0.10.in-addr.arpa. gone",
      "3.0.0.10.in-addr.arpa. gone",
      "4.0.0.10.in-addr.arpa.",
      "a.web.svc.cluster.local.",
    ]);
  });

  it("loses names before the policy that takes them is in force, however slow it is", async () => {
    const { mesh, worker, member, web } = await start("{ discover: All }");
    member.interested([web]);
    assert.equal(worker.services(web).length, 3);
    worker.isCongested = true;
    mesh.configure(tablesOf("{ discover: None }"));
    assert.deepEqual(worker.services(web), []);
    mesh.configure(tablesOf("{ from: [data] }"));
    worker.free();
    assert.deepEqual(worker.services(web), ["a.data.svc.cluster.local", "a.web.svc.cluster.local"]);
  });

  it("waits for a slow worker, and then tells it what is, not what was", async () => {
    const { objects, worker, member, pass, web } = await start("{}");
    member.interested([web]);
    worker.isCongested = true;
    const before = worker.updates.length;
    for (const last of [2, 3, 4]) {
      objects.apply({ set: objectsOf(SERVICES.replace("10.0.0.1", `10.0.0.${last}`)) });
      pass();
    }
    assert.equal(worker.updates.length, before);
    worker.free();
    const names = worker.updates.slice(before).flatMap((update) => update.names ?? []);
    assert.equal(names.filter(({ gone }) => !gone).length, 2);
  });

  it("hears of a namespace that is new", async () => {
    const { objects, worker, member, pass, web } = await start("{ discover: All }");
    member.interested([web]);
    objects.apply({ set: objectsOf(SERVICES.replaceAll("other", "fresh")) });
    pass();
    assert.ok(worker.services(web).includes("a.fresh.svc.cluster.local"));
  });

  it("goes on while all names are made anew, and changes meanwhile are in these, too", async () => {
    const { objects, mesh, worker, member, pass, later, web } = await start("{ discover: All }");
    const service = (name: string, address: string) =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: data }\nspec: { clusterIP: ${address} }\n`;
    const many = Array.from({ length: 5000 }, (_, index) => service(`s${index}`, `10.1.${index >> 8}.${index & 255}`));
    objects.apply({ set: objectsOf(many.join("---\n")) });
    member.interested([web]);
    while (later.length > 0) pass();
    assert.equal(worker.services(web).length, 5003);
    const before = worker.updates.length;
    mesh.configure({ ...tablesOf("{ discover: All }"), ttl: 77 });
    let steps = 0;
    while (later.length > 0) {
      pass();
      steps++;
      if (steps !== 2 && steps !== 4) continue;
      // The first are named anew by now, the last are not: one of each comes, and one of each goes.
      objects.apply({
        set: objectsOf(`${service(`new${steps}`, "10.2.0.1")}---\n${service(`s${steps}`, "10.2.0.2")}`),
        delete: [`s${steps * 10}`, `s${4999 - steps}`].map((name) => ({ kind: "Service", namespace: "data", name })),
      });
    }
    const told = worker.updates.slice(before);
    const reset = told.findIndex((update) => update.reset);
    const change = told.findIndex(({ names = [] }) => names.some(({ gone }) => gone));
    assert.ok(steps > 4 && change >= 0 && change < reset, `${steps} steps, ${change} before ${reset}`);
    const now = worker.services(web);
    assert.equal(now.length, 5003 + 2 - 4);
    for (const name of ["new2", "new4", "s2", "s4"]) assert.ok(now.includes(`${name}.data.svc.cluster.local`), name);
    for (const name of ["s20", "s40", "s4997", "s4995"])
      assert.ok(!now.includes(`${name}.data.svc.cluster.local`), name);
    const fresh = told.slice(reset).flatMap(({ names = [] }) => names);
    assert.ok(
      fresh.every(({ ttl }) => ttl === 77 || ttl === undefined || ttl === 0),
      "of the new TTL",
    );
  });
});
