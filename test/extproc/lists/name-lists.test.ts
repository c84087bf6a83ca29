import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { ListReference } from "../../../extproc/compiled/list-reference.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import { type ListReader, startListReader } from "../../../extproc/lists/list-reader.ts";
import { NameLists } from "../../../extproc/lists/name-lists.ts";
import type { PolicyStore } from "../../../extproc/store/policy-store.ts";
import { openStore } from "../../../extproc/store/store.ts";
import { ask, documents, nameList, policy, tenant, upstream } from "../compile/compile-text.ts";
import { FakeClock } from "../server/fake-clock.ts";
import { compileAtOnce } from "../server/test-store.ts";

describe("lists: those that are followed", function () {
  this.timeout(60_000);
  let directory = "";
  let reader: ListReader;
  let clock: FakeClock;
  let lists: NameLists;
  const troubles: object[] = [];

  before(() => {
    reader = startListReader();
  });
  after(() => reader.close());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lists-"));
    clock = new FakeClock();
    troubles.length = 0;
    lists = open();
  });
  afterEach(async () => {
    lists.close();
    await rm(directory, { recursive: true });
  });

  function open(): NameLists {
    return new NameLists({
      reader,
      directory,
      now: () => clock.now(),
      every: (milliseconds, task) => clock.every(milliseconds, task),
      after: (milliseconds, task) => clock.after(milliseconds, task),
      onTrouble: (fields) => troubles.push(fields),
    });
  }

  const file = (name: string, path: string): ListReference => ({
    name,
    format: "Plain",
    subdomains: false,
    file: path,
  });

  /** By rename, as those do who want no reader to see half of it. */
  async function put(path: string, text: string): Promise<void> {
    await writeFile(join(directory, ".new"), text);
    await rename(join(directory, ".new"), join(directory, path));
  }

  /** Looks at the files again and again, until it comes true. */
  async function until(condition: () => boolean): Promise<void> {
    for (let looks = 0; !condition(); looks++) {
      assert.ok(looks < 200, `nothing came of it: ${JSON.stringify(lists.status())}`);
      clock.advance(1000);
      await pause(10);
    }
  }

  it("are read once, and again when their files change", async () => {
    await put("ads.txt", "ads.example\n");
    const references = [
      file("ads", "ads.txt"),
      { ...file("own", ""), inline: ["x.example"], file: undefined } as never,
    ];
    const first = await lists.prepare(references);
    assert.deepEqual([...first.tables.keys()], ["ads", "own"]);
    let changes = 0;
    lists.onChange(() => changes++);
    await put("ads.txt", "ads.example\nmore.example\n");
    await until(() => changes === 1);
    const second = lists.read(references);
    assert.notEqual(second.digest, first.digest);
    const [before, now] = [first.tables.get("ads"), second.tables.get("ads")];
    assert.equal(now?.change?.since, before?.version);
    assert.deepEqual(now?.change?.names.map(presentName), ["more.example."]);
    assert.equal(second.tables.get("own"), first.tables.get("own"));
    const [ads] = lists.status();
    assert.deepEqual([ads?.names, ads?.error, ads?.from], [2, "", join(directory, "ads.txt")]);
    // The same names again are no news.
    await put("ads.txt", "ads.example\nmore.example\n");
    for (let looks = 0; looks < 5; looks++) {
      clock.advance(1000);
      await pause(20);
    }
    assert.equal(changes, 1);
    await put("ads.txt", `other.example\n${Array.from({ length: 256 }, (_, index) => `n${index}.example\n`).join("")}`);
    await until(() => changes === 2);
    assert.equal(lists.read(references).tables.get("ads")?.change, undefined, "nobody is told of so many");
  });

  it("stay as they were where the new file is none, and say so", async () => {
    await put("ads.txt", "ads.example\n");
    const references = [file("ads", "ads.txt")];
    await lists.prepare(references);
    for (const [text, expected] of [
      ["", /expected names, got none/],
      ["<html>\n<b>no</b>\n", /expected names, got 2 lines that are none/],
    ] as const) {
      await put("ads.txt", text);
      await until(() => expected.test(lists.status()[0]?.error ?? ""));
      assert.equal(lists.read(references).tables.get("ads")?.names, 1);
    }
    await rm(join(directory, "ads.txt"));
    await until(() => /ENOENT/.test(lists.status()[0]?.error ?? ""));
    assert.equal(lists.read(references).tables.get("ads")?.names, 1);
    assert.equal(troubles.length, 3);
    await put("ads.txt", "other.example\nlast.example\n");
    await until(() => lists.status()[0]?.names === 2);
    assert.equal(lists.status()[0]?.error, "");
  });

  it("have no name where they never were", async () => {
    const { tables, digest } = await lists.prepare([file("ads", "missing.txt")]);
    assert.deepEqual([tables.size, digest], [0, ""]);
    const [ads] = lists.status();
    assert.match(ads?.error ?? "", /ENOENT/);
    assert.equal(ads?.refreshed, undefined);
  });

  describe("of a store", () => {
    const text = documents(
      upstream("u"),
      tenant("t", { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "u" }),
      nameList("ads", { file: "ads.txt" }),
      policy("p", 1, ["t"], [{ name: "ads", match: { lists: ["ads"] }, action: "Deny" }]),
    );
    const denies = (store: PolicyStore, name: string) =>
      "deny" in ask(store.current(), { from: "10.0.0.1", name }) ? "denied" : "forwarded";
    const openIt = () => openStore({ directory, compiler: compileAtOnce(), lists, now: () => clock.now() });

    it("are told beside the version's number, which stays", async () => {
      await put("ads.txt", "ads.example\n");
      const store = await openIt();
      const applied = await store.apply({ upsert: [{ name: "set", text }] });
      assert.ok(applied.ok && applied.version.sequence === 2);
      assert.deepEqual([denies(store, "ads.example"), denies(store, "new.example")], ["denied", "forwarded"]);
      const told: string[] = [];
      const before = store.current().revision;
      store.onChange(({ revision }) => told.push(revision.lists));
      await put("ads.txt", "new.example\n");
      await until(() => told.length === 1);
      assert.deepEqual([denies(store, "ads.example"), denies(store, "new.example")], ["forwarded", "denied"]);
      assert.equal(ask(store.current(), { from: "10.0.0.1" }).revision, 2);
      assert.ok(!told.includes(before.lists));
      await store.close();

      // The same names are told alike after a restart; and others, while nobody looked.
      lists.close();
      lists = open();
      const again = await openIt();
      assert.deepEqual([again.current().sequence, again.current().revision.lists], [2, told[0]]);
      await again.close();
      await put("ads.txt", "ads.example\n");
      lists.close();
      lists = open();
      const third = await openIt();
      assert.deepEqual([third.current().sequence, denies(third, "ads.example")], [2, "denied"]);
      assert.equal(third.current().revision.lists, before.lists);
      const next = await third.apply({ upsert: [{ name: "t", text: documents(tenant("t2", { upstream: "u" })) }] });
      assert.ok(next.ok);
      assert.deepEqual([next.version.sequence, third.current().sequence], [3, 3]);
      assert.equal(denies(third, "ads.example"), "denied");
      assert.deepEqual(
        third.versions().map(({ sequence }) => sequence),
        [3, 2, 1],
      );
      const back = await third.rollback(2);
      assert.ok(back.ok && back.version.sequence === 4);
      await third.close();
    });

    it("are there for a set that is only imagined, and for the reasons of a decision", async () => {
      await put("ads.txt", "ads.example\n");
      const store = await openIt();
      const imagined = await store.imagine({ upsert: [{ name: "set", text }] });
      assert.ok(imagined.ok);
      assert.ok("deny" in ask(imagined.snapshot, { from: "10.0.0.1", name: "ads.example" }));
      assert.deepEqual(lists.status(), []);
      await store.close();
    });
  });
});
