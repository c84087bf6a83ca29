import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PolicyStore } from "../../../extproc/store/policy-store.ts";
import { openStore } from "../../../extproc/store/store.ts";
import { compileAtOnce } from "../server/test-store.ts";
import { countingSet, secondsOf } from "./counting-set.ts";

describe("the history of a store", () => {
  let directory = "";
  let now = Date.UTC(2026, 0, 1);
  const compiler = compileAtOnce();
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "policy-history-"));
    now = Date.UTC(2026, 0, 1);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const open = () => openStore({ directory, compiler, now: () => now });
  const ALICE = { name: "alice", by: "token" } as const;
  const put = (store: PolicyStore, seconds: number, options = {}) =>
    store.apply({ upsert: [{ name: "put.yaml", text: countingSet(seconds) }] }, options);
  const numbers = (store: PolicyStore) => store.versions().map(({ sequence }) => sequence);
  const file = (sequence: number) => join(directory, "history", `${sequence}.yaml`);

  it("says who made each version, when and why, also after a restart", async () => {
    const store = await open();
    now += 1000;
    await put(store, 7, { author: ALICE, reason: 'a "reason"\u0085 in ünicode' });
    const versions = store.versions();
    const { hash, ...first } = versions[0] ?? { hash: "" };
    assert.match(hash, /^[0-9a-f]{16}$/);
    assert.deepEqual(first, {
      sequence: 2,
      time: "2026-01-01T00:00:01.000Z",
      author: ALICE,
      reason: 'a "reason"\u0085 in ünicode',
      counts: { created: 3, updated: 0, deleted: 0 },
    });
    assert.equal(versions[1]?.author.by, "service");
    assert.deepEqual((await open()).versions(), versions);
    assert.equal((await stat(file(2))).mode & 0o777, 0o600);
  });

  it("never changes a version: not for a comment, not for an edit of the state", async () => {
    const store = await open();
    await put(store, 7);
    const before = await readFile(file(2));
    await store.apply({ upsert: [{ name: "x", text: countingSet(7).replace("---", "---\n# because") }] });
    assert.deepEqual([numbers(store), await readFile(file(2))], [[2, 1], before]);
    const state = join(directory, "state.yaml");
    await writeFile(state, (await readFile(state, "utf8")).replace("7s", "9s"));
    const edited = await open();
    assert.deepEqual(numbers(edited), [3, 2, 1]);
    assert.match(edited.versions()[0]?.reason ?? "", /edited by hand/);
    assert.deepEqual(await readFile(file(2)), before);
  });

  it("goes back in one step, which is a new version", async () => {
    const store = await open();
    await put(store, 7);
    await put(store, 8);
    const result = await store.rollback(2, { author: ALICE, reason: "8 was too long" });
    assert.ok(result.ok && result.changed);
    const { sequence, hash, restores, counts, reason } = result.version;
    assert.deepEqual([sequence, restores, reason], [4, 2, "8 was too long"]);
    assert.deepEqual(counts, { created: 0, updated: 1, deleted: 0 });
    assert.equal(hash, store.versions()[2]?.hash);
    assert.equal(secondsOf(store.current()), 7);
    const again = await store.rollback(2);
    assert.ok(again.ok && !again.changed && again.version.sequence === 4);
    const empty = await store.rollback(1);
    assert.ok(empty.ok && store.resources().length === 0);
    const none = await store.rollback(17);
    assert.ok(!none.ok && none.reason === "unknown");
    assert.equal(none.problems[0]?.message, "expected one of the 5 versions from 1 to 5, got 17");
    assert.deepEqual((await open()).versions(), store.versions());
  });

  it("does nothing unless the version in force is the expected one", async () => {
    const store = await open();
    const results = await Promise.all([3, 4].map((seconds) => put(store, seconds, { ifVersions: [1] })));
    assert.deepEqual(
      results.map((result) => (result.ok ? result.version.sequence : result.reason)),
      [2, "stale"],
    );
    assert.equal(secondsOf(store.current()), 3);
    const stale = await store.rollback(1, { ifVersions: [1] });
    assert.ok(!stale.ok && stale.before.sequence === 2);
    assert.equal(stale.problems[0]?.message, "expected version 1 in force, got version 2");
  });

  it("shows what would change, and changes nothing", async () => {
    const store = await open();
    await put(store, 7);
    const dry = await put(store, 8, { dryRun: true });
    assert.ok(dry.ok && dry.differences.length === 1);
    assert.match(dry.differences[0]?.diff ?? "", /^--- DnsPolicy\/p\n\+\+\+ DnsPolicy\/p\n@@ .*\n.*-.*"7s".*\+.*"8s"/s);
    const deleted = await store.apply({ delete: [{ kind: "Settings", name: "no" }] }, { dryRun: true });
    assert.ok(deleted.ok && deleted.differences.length === 0);
    assert.deepEqual(numbers(store), [2, 1]);
  });

  it("keeps a hundred", async () => {
    const store = await open();
    for (let seconds = 2; seconds <= 104; seconds++) await put(store, seconds);
    const kept = Array.from({ length: 100 }, (_, index) => 104 - index);
    assert.deepEqual(numbers(store), kept);
    assert.equal((await readdir(join(directory, "history"))).length, 100);
    assert.deepEqual(numbers(await open()), kept);
    const gone = await store.rollback(4);
    assert.ok(!gone.ok && gone.reason === "unknown");
  });

  it("takes no version for one that a killed writer had not put in force, and mends what is missing", async () => {
    const store = await open();
    await put(store, 7);
    await writeFile(file(3), (await readFile(file(2), "utf8")).replace("sequence 2", "sequence 3"));
    await writeFile(join(directory, "history", ".writing.tmp"), "# half");
    assert.deepEqual(numbers(await open()), [2, 1]);
    assert.deepEqual((await readdir(join(directory, "history"))).sort(), ["1.yaml", "2.yaml"]);
    await unlink(file(2));
    await writeFile(file(1), "# half a");
    const mended = await open();
    assert.deepEqual(mended.versions(), store.versions().slice(0, 1));
    assert.equal((await mended.version(2))?.resources.length, 3);
  });

  it("takes over a store of before there were versions", async () => {
    const store = await open();
    await put(store, 7);
    await rm(join(directory, "history"), { recursive: true });
    const state = join(directory, "state.yaml");
    const text = await readFile(state, "utf8");
    await writeFile(state, text.replace(/^# dnspolicy version: .*\n/m, "").replaceAll(/, generation .*$/gm, ""));
    const taken = await open();
    assert.deepEqual(numbers(taken), [2]);
    assert.deepEqual(taken.versions()[0]?.time, "");
    assert.deepEqual(
      taken.resources().map(({ generation, revision }) => [generation, revision]),
      [
        [1, 0],
        [1, 0],
        [1, 0],
      ],
    );
  });

  it("counts generations of a resource by its spec alone, and over rollbacks", async () => {
    const store = await open();
    const lineage = () => {
      const policy = store.resources().find(({ kind }) => kind === "DnsPolicy");
      return [policy?.generation, policy?.revision];
    };
    await put(store, 7);
    assert.deepEqual(lineage(), [1, 2]);
    await store.apply({
      upsert: [{ name: "x", text: countingSet(7).replace('"name": "p"', '"name": "p", "labels": {"a": "b"}') }],
    });
    assert.deepEqual(lineage(), [1, 2]);
    await put(store, 8);
    await put(store, 8);
    assert.deepEqual(lineage(), [2, 3]);
    await store.rollback(2);
    assert.deepEqual(lineage(), [3, 4]);
    assert.deepEqual(store.resources()[1]?.revision, 2);
    await store.rollback(1);
    await put(store, 9);
    assert.deepEqual(lineage(), [1, 6]);
    assert.deepEqual((await open()).resources(), store.resources());
  });
});
