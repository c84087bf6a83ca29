import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startCompiler } from "../../../extproc/compile-thread/compiler.ts";
import type { Snapshot } from "../../../extproc/compiled/snapshot.ts";
import type { PolicyStore } from "../../../extproc/store/policy-store.ts";
import { openStore } from "../../../extproc/store/store.ts";
import { watchDirectory } from "../../../extproc/store/watch.ts";
import { countingSet, secondsOf } from "./counting-set.ts";

describe("the store", function () {
  this.timeout(120_000);
  const compiler = startCompiler();
  let directory = "";
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "policy-store-"));
  });
  afterEach(() => rm(directory, { recursive: true }));
  after(() => compiler.close());

  const open = (firstSequence?: number) =>
    openStore({
      directory,
      compiler,
      now: () => 1_700_000_000_000,
      ...(firstSequence === undefined ? {} : { firstSequence }),
    });
  const put = (store: PolicyStore, seconds: number) =>
    store.apply({ upsert: [{ name: "put.yaml", text: countingSet(seconds) }] });

  it("starts with an empty set, and comes back with what was applied", async () => {
    const store = await open();
    assert.equal(store.current().sequence, 1);
    const seen: number[] = [];
    store.onChange(({ sequence }) => seen.push(sequence));
    const result = await put(store, 7);
    assert.ok(result.ok && result.changed && result.version.sequence === 2 && result.snapshot === store.current());
    assert.deepEqual(seen, [2]);
    await store.close();
    const again = await open();
    assert.deepEqual([again.current().sequence, again.current().hash], [2, result.version.hash]);
    assert.equal(secondsOf(again.current()), 7);
    assert.deepEqual(
      again.resources().map(({ kind, name }) => `${kind}/${name}`),
      ["DnsPolicy/p", "Tenant/t", "Upstream/u"],
    );
    assert.match(again.resources()[1]?.text ?? "", /^\{\n "apiVersion"/);
  });

  it("says which of its rules a question meets", async () => {
    const store = await open();
    await put(store, 7);
    const asked = {
      address: Uint8Array.of(10, 0, 0, 1),
      listener: "x",
      transport: 0,
      tenant: "t",
      qtype: 1,
      time: 0,
    } as const;
    const rules = await store.consider({ ...asked, qname: Uint8Array.of(1, 0x61, 0) }, new Map());
    assert.deepEqual(
      rules.map(({ policy, rule, fate }) => [policy, rule, fate]),
      [["p", "r", "decides"]],
    );
  });

  it("starts where it is told to", async () => {
    assert.equal((await open(1_700_000_000_000)).current().sequence, 1_700_000_000_000);
    assert.equal((await open(5)).current().sequence, 1_700_000_000_000);
  });

  it("keeps the number of a set that says the same, and its comments", async () => {
    const store = await open();
    await put(store, 7);
    const text = countingSet(7).replace("---", "---\n# because");
    const result = await store.apply({ upsert: [{ name: "x", text }] });
    assert.ok(result.ok && !result.changed && result.version.sequence === 2);
    assert.ok((await readFile(join(directory, "state.yaml"), "utf8")).includes("# because"));
    assert.equal((await open()).current().sequence, 2);
  });

  it("changes nothing for a set that is not valid, nor in a dry run", async () => {
    const store = await open();
    await put(store, 7);
    const before = await readFile(join(directory, "state.yaml"));
    const invalid = await store.apply({ delete: [{ kind: "Upstream", name: "u" }] });
    assert.ok(!invalid.ok && invalid.reason === "invalid" && invalid.problems.length === 1);
    const dry = await store.apply({ upsert: [{ name: "x", text: countingSet(8) }] }, { dryRun: true });
    assert.ok(dry.ok && dry.changed && dry.version.sequence === 3);
    assert.deepEqual(await readFile(join(directory, "state.yaml")), before);
    assert.equal(secondsOf(store.current()), 7);
  });

  it("does changes one after the other, each on what the one before left", async () => {
    const store = await open();
    const results = await Promise.all([3, 4, 5].map((seconds) => put(store, seconds)));
    assert.deepEqual(
      results.map((result) => result.ok && result.version.sequence),
      [2, 3, 4],
    );
    const pruned = await store.apply({ upsert: [], prune: true });
    assert.ok(pruned.ok && pruned.version.sequence === 5);
    assert.deepEqual(store.resources(), []);
  });

  it("refuses to write over another writer", async () => {
    const [one, other] = [await open(), await open()];
    assert.ok((await put(one, 3)).ok);
    const conflict = await put(other, 4);
    assert.ok(!conflict.ok && conflict.reason === "conflict");
    assert.equal(secondsOf((await open()).current()), 3);
  });

  it("gives a set that was edited by hand a number of its own, and refuses one that is broken", async () => {
    const store = await open();
    await put(store, 7);
    const file = join(directory, "state.yaml");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace("7s", "9s"));
    const edited = await open();
    assert.deepEqual([edited.current().sequence, secondsOf(edited.current())], [3, 9]);
    await writeFile(file, text.replace("Deny", "Dny"));
    await assert.rejects(
      open(),
      /the stored policy is not valid:\nstate.yaml: document 1, line \d+, spec.rules\[0\].action/,
    );
    await writeFile(file, "kind: Tenant\n");
    await assert.rejects(open(), /state.yaml: line 1: expected "# dnspolicy state: ..."/);
  });

  it("survives kill -9 at any instant", async () => {
    const path = fileURLToPath(new URL("./writer.ts", import.meta.url));
    let acknowledged = 1;
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, ["--import=tsx", path, directory], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let wanted = 3 + ((round * 37) % 23);
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged = Number(line);
        if (--wanted === 0) {
          for (let turn = 0; turn < round * 40; turn++) await new Promise(setImmediate);
          child.kill("SIGKILL");
        }
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      const store = await open();
      const { sequence } = store.current();
      assert.ok(
        sequence >= acknowledged && sequence <= acknowledged + 1,
        `${acknowledged} acknowledged, ${sequence} stored`,
      );
      assert.equal(secondsOf(store.current()), sequence);
      assert.deepEqual(await readdir(directory), ["history", "state.yaml"]);
      const versions = store.versions();
      assert.deepEqual(
        versions.map((version) => version.sequence),
        Array.from({ length: Math.min(100, sequence) }, (_, index) => sequence - index),
      );
      for (const version of versions.slice(0, 20)) await checkVersion(store, version.sequence);
    }
  });

  /** The set of version n denies for n seconds; the first was empty. */
  async function checkVersion(store: PolicyStore, sequence: number): Promise<void> {
    const content = await store.version(sequence);
    assert.equal(content?.version.sequence, sequence);
    const text = content?.resources.map((resource) => resource.text).join("");
    assert.ok(sequence === 1 ? text === "" : text?.includes(`"${sequence}s"`), text);
  }

  it("is followed by readers, which have the writer's numbers", async () => {
    const store = await open();
    const reader = await watchDirectory({ directory, compiler, rescanMs: 0 });
    assert.equal(reader.current()?.sequence, 1);
    const changed = new Promise<Snapshot>((resolve) => reader.onChange(resolve));
    await put(store, 7);
    const snapshot = await changed;
    assert.deepEqual([snapshot.sequence, snapshot.hash], [2, store.current().hash]);
    assert.deepEqual(reader.resources(), store.resources());
    await reader.close();
  });
});
