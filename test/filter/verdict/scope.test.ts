/** For which questions a kept verdict holds: scopes as protos/verdict.proto has them, against a plain model of them. */
import { strict as assert } from "node:assert";
import { SeededRandom } from "../../host/clock.ts";
import { wireName } from "../wire/room.ts";
import { type Asked, Extent, encodeChange, hashLabel, type Scope, VerdictLab } from "./lab.ts";

const BUDGET = 1 << 20;
const SECOND = 1_000_000;
const suffixOf = (name: string, labels: number) => (labels === 0 ? [] : name.toLowerCase().split(".").slice(-labels));
const labelsOf = (name: string) => (name === "" ? [] : name.toLowerCase().split("."));

/** Whether a verdict that was given for `given` holds for `asked`. */
function holds(given: Asked, scope: Scope, asked: Asked): boolean {
  const { labels: count = 0, extent = Extent.Exact, except = [], types = [], transports = 0 } = scope;
  const owner = suffixOf(given.name, count);
  const name = labelsOf(asked.name);
  if (name.length < owner.length || name.slice(name.length - owner.length).join(".") !== owner.join(".")) return false;
  if (/[\x80-\xff]/.test(name.slice(0, name.length - owner.length).join())) return false;
  const at = name.length === owner.length;
  if (at ? extent === Extent.Below : extent === Extent.Exact) return false;
  if (!at && except.includes(hashLabel(name.at(-owner.length - 1) ?? ""))) return false;
  if (types.length > 0 && types.includes(asked.type ?? 1) === (scope.types_excluded ?? false)) return false;
  return transports === 0 || (transports & (1 << (asked.transport ?? 0))) !== 0;
}

describe("verdict cache", () => {
  let lab: VerdictLab;
  before(async function () {
    this.timeout(120_000);
    lab = await VerdictLab.open();
  });
  beforeEach(() => {
    lab.room.call("open", BUDGET);
  });
  const asked = { name: "www.example.org" };
  const found = (...names: string[]) => names.map((name) => lab.find({ name }));

  it("finds EXACT for the name alone, in any case", () => {
    assert.ok(lab.put(asked, { labels: 3, extent: Extent.Exact }, 5));
    assert.deepEqual(
      found("www.example.org", "WWW.Example.ORG", "a.www.example.org", "example.org", ""),
      [5, 5, 0, 0, 0],
    );
    assert.ok(lab.put({ name: "" }, { labels: 0, extent: Extent.Exact }, 6));
    assert.deepEqual(found("", "org"), [6, 0]);
  });

  it("finds BELOW for every name strictly below", () => {
    assert.ok(lab.put(asked, { labels: 2, extent: Extent.Below }, 5));
    assert.deepEqual(found("a.example.org", "b.a.example.org", "example.org", "xexample.org", "org"), [5, 5, 0, 0, 0]);
    assert.ok(lab.put({ name: "org" }, { labels: 0, extent: Extent.Below }, 6));
    assert.deepEqual(found("com", "a.com", ""), [6, 6, 0]);
  });

  it("finds AT_OR_BELOW for the owner too", () => {
    assert.ok(lab.put(asked, { labels: 2, extent: Extent.AtOrBelow }, 5));
    assert.deepEqual(found("example.org", "www.example.org", "a.b.example.org", "org", "ample.org"), [5, 5, 5, 0, 0]);
  });

  it("leaves out names below labels that are excepted, by their hash in lower case", () => {
    const except = ["deny", "other"].map(hashLabel);
    assert.ok(lab.put(asked, { labels: 2, extent: Extent.Below, except }, 5));
    const names = [
      "deny.example.org",
      "a.Deny.example.org",
      "OTHER.example.org",
      "deny.x.example.org",
      "x.example.org",
    ];
    assert.deepEqual(found(...names), [0, 0, 0, 5, 5]);
  });

  it("holds below its owner for ASCII alone: other octets may stand for an A-label that is judged otherwise", () => {
    assert.ok(lab.put(asked, { labels: 2, extent: Extent.AtOrBelow }, 5));
    const names = ["\xc3\xbc.example.org", "a.\xfc.example.org", "\xc3\xbc.a.example.org", "a.b.example.org"];
    assert.deepEqual(found(...names), [0, 0, 0, 5]);
    const international = { name: "www.abcdefgh\xc3\xbc.example.org" };
    assert.ok(!lab.put(international, { labels: 2, extent: Extent.AtOrBelow }, 6));
    assert.ok(lab.put(international, { labels: 3, extent: Extent.AtOrBelow }, 6));
    assert.deepEqual(
      found("a.b.abcdefgh\xc3\xbc.example.org", "\xff.abcdefgh\xc3\xbc.example.org", "abcdefgh\xc3\xbd.example.org"),
      [6, 0, 0],
    );
  });

  it("holds for its types, or for all but them", () => {
    const scope = { labels: 3, types: [1, 28] };
    const types = (): number[] => [1, 28, 15, 65].map((type) => lab.find({ ...asked, type }));
    assert.ok(lab.put(asked, scope, 5));
    assert.deepEqual(types(), [5, 5, 0, 0]);
    assert.ok(lab.put({ ...asked, type: 65 }, { ...scope, types_excluded: true }, 6));
    assert.deepEqual(types(), [5, 5, 6, 6]);
  });

  it("holds for its transports", () => {
    assert.ok(lab.put({ ...asked, transport: 2 }, { labels: 3, transports: 0b01100 }, 5));
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((transport) => lab.find({ ...asked, transport })),
      [0, 0, 5, 5, 0],
    );
  });

  it("holds for its subject", () => {
    assert.ok(lab.put({ ...asked, subject: 7 }, { labels: 3 }, 5));
    assert.deepEqual([lab.find({ ...asked, subject: 7 }), lab.find(asked)], [5, 0]);
  });

  it("holds for its lifetime, or as long as the revision", () => {
    assert.ok(lab.put({ ...asked, now: 10 * SECOND }, { labels: 3, lifetime_ms: 1500 }, 5));
    assert.equal(lab.find({ ...asked, now: 11.5 * SECOND - 1 }), 5);
    assert.equal(lab.room.call("foundLasting"), 0);
    assert.equal(lab.find({ ...asked, now: 11.5 * SECOND }), 0);
    assert.ok(lab.put({ ...asked, now: 12 * SECOND }, { labels: 3 }, 6));
    assert.equal(lab.find({ ...asked, now: 1e15 }), 6);
    assert.equal(lab.room.call("foundLasting"), 1);
  });

  it("finds the new one in the place of one that is over, however often", () => {
    for (let times = 1; times < 200; times++) {
      const now = times * SECOND;
      assert.equal(lab.find({ ...asked, now }), 0);
      assert.ok(lab.put({ ...asked, now }, { labels: 3, lifetime_ms: 1000 }, times));
      assert.equal(lab.find({ ...asked, now }), times);
    }
  });

  it("forgets what is at, above or below names that have changed, and nothing else", () => {
    const owners = ["", "com", "a.com", "b.a.com", "c.b.a.com", "xa.com", "org", "a.org"];
    const international = "\xc3\xbc.info";
    const keep = () => {
      lab.room.call("open", BUDGET);
      for (const [index, name] of owners.entries()) {
        const labels = labelsOf(name).length;
        assert.ok(lab.put({ name }, { labels }, index + 1));
      }
      assert.ok(lab.put({ name: international }, { labels: 2 }, 100));
      // As many as are not found again, in both queues.
      for (let number = 0; number < 500; number++) assert.ok(lab.put({ name: `n${number}.net` }, { labels: 2 }, 100));
    };
    const left = (...changed: string[]) => {
      keep();
      for (const name of ["com", "a.org"]) for (let times = 0; times < 3; times++) lab.find({ name });
      assert.equal(lab.room.call("forgetNear", lab.room.put(encodeChange(changed.map(wireName)))), 1);
      assert.equal(lab.find({ name: "n7.net" }), changed.includes("net") || changed.includes(".") ? 0 : 100);
      assert.equal(lab.find({ name: international }), 0, "which may be judged by any of them");
      return owners.filter((name) => lab.find({ name }) !== 0);
    };
    assert.deepEqual(left(), owners);
    assert.deepEqual(left("b.a.com"), ["xa.com", "org", "a.org"]);
    assert.deepEqual(left("a.com"), ["xa.com", "org", "a.org"]);
    assert.deepEqual(left("d.b.a.com", "org"), ["c.b.a.com", "xa.com"]);
    assert.deepEqual(left("net"), owners.slice(1));
    assert.deepEqual(left("."), []);
    keep();
    for (const broken of [Buffer.from([1, 65]), Buffer.from([]), Buffer.from([3, 97])]) {
      assert.equal(lab.room.call("forgetNear", lab.room.put(encodeChange([broken]))), 0);
    }
    assert.equal(lab.find({ name: "a.com" }), 3, "what is no change forgets nothing");
  });

  it("refuses a verdict that does not hold for its own question", () => {
    for (const scope of [
      { labels: 4 },
      { labels: 2, extent: Extent.Exact },
      { labels: 3, extent: Extent.Below },
      { labels: 2, extent: Extent.Below, except: [hashLabel("www")] },
      { labels: 3, types: [28] },
      { labels: 3, types: [1], types_excluded: true },
      { labels: 3, transports: 2 },
    ])
      assert.ok(!lab.put(asked, scope, 5), JSON.stringify(scope));
    assert.deepEqual([lab.room.call("count"), lab.room.call("octets")], [0, 0]);
    assert.equal(lab.fields.references, 1n, "no reference is left over");
  });

  it("finds a verdict exactly where the model says that one holds", () => {
    const random = new SeededRandom(9);
    const labels = ["a", "b", "C", "\xc3\xbc"];
    const randomName = () => Array.from({ length: random.below(5) }, () => random.pick(labels)).join(".");
    const question = (): Asked => ({
      name: randomName(),
      type: random.below(4),
      transport: random.below(5),
      subject: 1 + random.below(2),
    });
    const some = <T>(of: () => T) => Array.from({ length: random.below(3) }, of);
    let hits = 0;
    for (let round = 0; round < 150; round++) {
      lab.room.call("clear");
      const kept: { given: Asked; scope: Scope }[] = [];
      while (kept.length < 6) {
        const given = question();
        const scope: Scope = {
          ...{ labels: random.below(labelsOf(given.name).length + 1), extent: random.below(3) },
          ...{ except: some(() => hashLabel(random.pick(["a", "b", "c"]))), types: some(() => random.below(4)) },
          ...{ types_excluded: random.below(2) === 1, transports: random.below(2) * random.below(32) },
        };
        assert.equal(lab.put(given, scope, kept.length + 1), holds(given, scope, given));
        if (holds(given, scope, given)) kept.push({ given, scope });
      }
      for (let times = 0; times < 60; times++) {
        const asked = question();
        const right = kept.flatMap(({ given, scope }, index) =>
          given.subject === asked.subject && holds(given, scope, asked) ? [index + 1] : [],
        );
        const upstream = lab.find(asked);
        assert.ok(upstream === 0 ? right.length === 0 : right.includes(upstream));
        if (upstream !== 0) hits++;
      }
    }
    assert.ok(hits > 1000);
  });

  it("never holds more octets than its budget, and leaks nothing", () => {
    let memory = 0;
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < 1000; index++) {
        const types = Array.from({ length: index % 200 }, (_, type) => type + 1);
        assert.ok(lab.put({ name: `n${index}.r${round}.org` }, { labels: 3, types: [1, ...types] }, 1));
        assert.ok(lab.room.call("octets") <= BUDGET);
      }
      if (round % 3 === 0) {
        lab.room.call("clear");
        assert.deepEqual([lab.room.call("count"), lab.room.call("octets")], [0, 0]);
      }
      if (round === 9) memory = lab.room.memorySize;
    }
    assert.equal(lab.room.memorySize, memory);
  });

  it("keeps what is asked for again while a scan passes through", () => {
    const hot = Array.from({ length: 200 }, (_, index) => `hot${index}.org`);
    for (const name of hot) {
      lab.put({ name }, { labels: 2 }, 1);
      found(name, name, name);
    }
    for (let index = 0; index < 20_000; index++) {
      lab.put({ name: `scan${index}.org` }, { labels: 2 }, 2);
      if (index % 500 === 0) found(...hot);
    }
    assert.ok(found(...hot).filter((upstream) => upstream === 1).length > 195);
  });

  it("leaves a verdict to who holds it when it is cleared", () => {
    lab.put(asked, { labels: 3 }, 5);
    lab.name(asked.name);
    assert.equal(lab.room.call("hold", 1, 1, 0), 2);
    lab.room.call("clear");
    assert.equal(lab.fields.references, 1n);
    assert.equal(lab.fields.upstream, 5n);
  });
});
