/**
 * etcd as the store: two stores of one prefix at a real etcd.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { startCompiler } from "../../extproc/compile-thread/compiler.ts";
import type { Etcd } from "../../extproc/etcd/etcd.ts";
import { KeyWatch } from "../../extproc/etcd/key-watch.ts";
import { MACHINE_CLOCK } from "../../extproc/machine-clock.ts";
import type { Problem } from "../../extproc/resources/problem.ts";
import { EtcdVersions } from "../../extproc/store/etcd/etcd-versions.ts";
import type { PolicyStore } from "../../extproc/store/policy-store.ts";
import { openSharedStore } from "../../extproc/store/store.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { documents } from "../extproc/compile/compile-text.ts";
import { countingSet, secondsOf } from "../extproc/store/counting-set.ts";
import { EtcdServer, HAS_ETCD } from "./etcd-server.ts";

if (HAS_ETCD) {
  describe("etcd as the store", function () {
    this.timeout(60_000);
    const compiler = startCompiler();
    let server: EtcdServer;
    let prefix = "";
    let number = 0;
    let opened: { readonly store: PolicyStore; readonly etcd: Etcd }[] = [];
    const refused: Problem[] = [];

    before(async () => {
      server = await EtcdServer.start();
    });
    beforeEach(() => {
      prefix = `/test${++number}/`;
    });
    afterEach(async () => {
      for (const { store, etcd } of opened) {
        await store.close();
        etcd.close();
      }
      opened = [];
    });
    after(async () => {
      await server.stop();
      await compiler.close();
    });

    async function open(): Promise<PolicyStore> {
      const etcd = await server.client(prefix);
      const store = await openSharedStore({
        compiler,
        now: () => Date.now(),
        onRefused: (problems) => refused.push(...problems),
        openVersions: (first) =>
          EtcdVersions.open({ etcd, clock: MACHINE_CLOCK, first, onTrouble: () => {}, onRestored: () => {} }),
      });
      opened.push({ store, etcd });
      return store;
    }
    const openTwo = async () => Promise.all([open(), open()]);
    const put = (store: PolicyStore, seconds: number) =>
      store.apply({ upsert: [{ name: "put.yaml", text: countingSet(seconds) }] });
    const says = (store: PolicyStore, seconds: number) =>
      eventually(20_000, `a set that says ${seconds}`, () => secondsOf(store.current()) === seconds);

    it("begins once, with an empty set, however many begin at once", async () => {
      const [a, b, c] = await Promise.all([open(), open(), open()]);
      assert.deepEqual(
        [a, b, c].map((store) => store.current().sequence),
        [1, 1, 1],
      );
      assert.deepEqual(a.versions(), b.versions());
    });

    it("has in force everywhere what was applied to one, under one number, and after a restart", async () => {
      const [a, b] = await openTwo();
      const result = await put(a, 7);
      assert.ok(result.ok && result.changed && result.version.sequence === 2);
      await says(b, 7);
      assert.deepEqual([b.current().sequence, b.current().hash], [2, a.current().hash]);
      assert.deepEqual(b.versions(), a.versions());
      // Without waiting: a change is of what is in force everywhere.
      await put(a, 8);
      const next = await put(b, 9);
      assert.ok(next.ok && next.before.sequence === 3 && next.version.sequence === 4);
      const again = await open();
      assert.equal(secondsOf(again.current()), 9);
      assert.deepEqual(again.resources(), b.resources());
    });

    it("goes back to what another service has applied", async () => {
      const [a, b] = await openTwo();
      await put(a, 7);
      await put(a, 8);
      const back = await b.rollback(2);
      assert.ok(back.ok && back.version.restores === 2);
      await says(a, 7);
    });

    it("makes one of changes at once, refuses the other, and loses nothing", async () => {
      const [a, b] = await openTwo();
      await put(a, 1);
      await says(b, 1);
      let done = 0;
      let conflicts = 0;
      for (let round = 0; round < 10; round++) {
        const named = (store: string) => `${store}-${round}`;
        const change = (store: PolicyStore, name: string) =>
          store.apply({ upsert: [{ name: "x", text: documents(tenantNamed(name)) }] });
        const results = await Promise.all([change(a, named("a")), change(b, named("b"))]);
        for (const result of results) {
          if (result.ok) done++;
          else {
            assert.equal(result.reason, "conflict");
            assert.match(result.problems[0]?.message ?? "", /written at the same time: apply it again/);
            conflicts++;
          }
        }
      }
      assert.equal(done + conflicts, 20);
      assert.ok(done >= 10 && conflicts > 0, `${done} done, ${conflicts} refused`);
      await eventually(10_000, "both have the same", () => a.current().sequence === b.current().sequence);
      assert.equal(a.current().sequence, 2 + done);
      assert.equal(a.resources().filter(({ name }) => /^[ab]-/.test(name)).length, done);
      assert.deepEqual(b.resources(), a.resources());
    });

    it("keeps the number of a set in other words, and tells the words", async () => {
      const [a, b] = await openTwo();
      await put(a, 7);
      await a.apply({ upsert: [{ name: "x", text: countingSet(7).replace("---", "---\n# because") }] });
      await eventually(10_000, "the comment", () => b.resources().some(({ text }) => text.includes("# because")));
      assert.equal(b.current().sequence, 2);
    });

    it("keeps what is in force while etcd is away, says so, and hears of changes afterwards", async () => {
      const [a, b] = await openTwo();
      await put(a, 7);
      await says(b, 7);
      await server.kill();
      await eventually(15_000, "it says so", () => /cannot be read since/.test(b.status().problems[0]?.message ?? ""));
      const result = await put(b, 8);
      assert.ok(!result.ok && result.reason === "unavailable");
      assert.equal(secondsOf(b.current()), 7);
      await server.restart();
      await eventually(15_000, "it is well again", () => b.status().problems.length === 0);
      assert.ok((await put(a, 9)).ok);
      await says(b, 9);
    });

    it("is told of what etcd has forgotten by then, and of what is gone", async () => {
      const [etcd, writer] = [await server.client(prefix), await server.client(prefix)];
      const put = (key: string) => writer.change([], [{ put: `k/${key}`, value: key }]);
      for (const key of ["a", "b"]) await put(key);
      const known = new Set<string>();
      let again: (() => void) | undefined;
      const failures: unknown[] = [];
      const watch = new KeyWatch(etcd, {
        folder: "k/",
        after: (_, task) => {
          again = task;
          return () => {};
        },
        onChange: (set, gone) => {
          for (const { key } of set) known.add(key);
          for (const key of gone) known.delete(key);
        },
        onFailed: (error) => failures.push(error),
      });
      await watch.listed;
      await server.kill();
      await eventually(10_000, "it is away", () => again !== undefined);
      await server.restart();
      await put("c");
      await writer.change([], [{ delete: "k/a" }]);
      await put("d");
      await server.compact();
      again?.();
      await eventually(10_000, "it is told", () => known.has("k/d"));
      assert.deepEqual([...known].sort(), ["k/b", "k/c", "k/d"]);
      const revision = await put("e");
      await watch.reached(revision ?? "");
      assert.ok(known.has("k/e"));
      assert.equal(failures.length, 1);
      watch.close();
      for (const client of [etcd, writer]) client.close();
    });

    it("holds sets that are larger than what etcd takes at once", async () => {
      const [a, b] = await openTwo();
      // Three million octets that do not compress much.
      const list = (number: number) => {
        const label = () => randomBytes(30).toString("hex");
        const inline = Array.from({ length: 8000 }, () => `${label()}.${label()}.${label()}.example`);
        return { kind: "NameList", metadata: { name: `l${number}` }, spec: { inline } };
      };
      const result = await a.apply({ upsert: [{ name: "x", text: documents(list(1), list(2)) }] });
      assert.ok(result.ok, JSON.stringify(result));
      await eventually(20_000, "the other has it", () => b.current().hash === a.current().hash);
      assert.ok(b.resources().reduce((sum, { text }) => sum + text.length, 0) > 3_000_000);
      assert.ok((await a.rollback(1)).ok);
      await eventually(20_000, "the other went back", () => b.resources().length === 0);
      assert.equal((await b.version(2))?.resources.length, 2, "the version is kept");
    });

    it("does not obey a store that was made anew under an older number", async () => {
      const a = await open();
      for (const seconds of [7, 8]) await put(a, seconds);
      const etcd = await server.client(prefix);
      await etcd.change([], [{ deleteBelow: "policy/" }]);
      etcd.close();
      await open();
      await eventually(10_000, "it says so", () =>
        /expected a number above 3/.test(a.status().problems[0]?.message ?? ""),
      );
      assert.equal(secondsOf(a.current()), 8);
      assert.ok(refused.length > 0);
    });

    it("removes what killed writers have left, and versions beyond the last hundred", async () => {
      const a = await open();
      const etcd = await server.client(prefix);
      await etcd.change([], [{ put: "chunks/left/000", value: "x" }]);
      for (let seconds = 1; seconds <= 105; seconds++) assert.ok((await put(a, seconds)).ok);
      const b = await open();
      assert.equal(b.versions().length, 100);
      assert.equal(b.versions().at(-1)?.sequence, 7);
      const { items } = await etcd.list("chunks/", { keysOnly: true });
      assert.equal(items.length, 100);
      etcd.close();
    });
  });
}

function tenantNamed(name: string): object {
  const spec = { match: [{ serverNames: [`${name}.example`], cidrs: ["10.0.0.0/8"] }], upstream: "u" };
  return { apiVersion: "dns.mesh/v1alpha1", kind: "Tenant", metadata: { name }, spec };
}
