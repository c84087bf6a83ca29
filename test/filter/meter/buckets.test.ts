/**
 * Token buckets of the filter: what they let through in a time, whom they count together, and what a crowd does to them.
 */
import assert from "node:assert/strict";
import { compile, type Entry, instantiate } from "../build.ts";

const SECOND = 1_000_000;
const BUDGET = 1 << 20;

describe("token buckets", () => {
  let module: WebAssembly.Module;
  let entry: Entry;

  before(async function () {
    this.timeout(60_000);
    module = await compile("test/filter/meter/entry/buckets.ts");
  });

  beforeEach(async () => {
    ({ entry } = await instantiate(module));
    entry.open?.(BUDGET, 1);
    entry.setIPv4?.(0x7f000001);
  });

  const meter = (count: number, per: number, burst: number, byClient = true, id = 1n) =>
    entry.setMeter?.(id, byClient ? 1 : 0, count, per, burst);
  const take = (now: number) => entry.take?.(BigInt(now)) === 1;

  it("lets a burst through, then the rate, to the query", () => {
    meter(100, 1000, 200);
    let passed = 0;
    for (let now = SECOND; now < 11 * SECOND; now += 1000) if (take(now)) passed++;
    // 10 seconds at 1,000 a second: the burst, and what has come back by the last one.
    assert.ok(passed >= 1199 && passed <= 1200, `expected 1,200, got ${passed}`);
  });

  it("holds no more than the burst, however long nobody asks", () => {
    meter(1, 3_600_000, 3);
    const at = 10 * 86_400 * SECOND;
    assert.deepEqual(
      [1, 2, 3, 4].map(() => take(at)),
      [true, true, true, false],
    );
    const late = at + 1000 * 86_400 * SECOND;
    assert.deepEqual(
      [1, 2, 3, 4].map(() => take(late)),
      [true, true, true, false],
    );
  });

  it("goes on where the policy changes the rate, with what was left", () => {
    meter(10, 1000, 10);
    for (let i = 0; i < 10; i++) assert.ok(take(SECOND));
    meter(1000, 1000, 1000);
    assert.equal(take(SECOND), false);
    assert.equal(take(SECOND + 1000), true);
    meter(1, 1000, 1);
    assert.deepEqual([take(9 * SECOND), take(9 * SECOND)], [true, false]);
  });

  it("owes what came about though it was not there, a whole burst at most", () => {
    meter(10, 1000, 10);
    const has = (now: number) => entry.has?.(BigInt(now)) === 1;
    assert.ok(has(SECOND), "nobody has taken any");
    assert.equal(entry.count?.(), 0, "to ask costs no bucket");
    for (let i = 0; i < 9; i++) entry.owe?.(BigInt(SECOND));
    assert.ok(has(SECOND));
    for (let i = 0; i < 6; i++) entry.owe?.(BigInt(SECOND));
    assert.equal(has(SECOND + 500_000), false, "five are owed");
    assert.ok(has(SECOND + 600_000));
    for (let i = 0; i < 1000; i++) entry.owe?.(BigInt(SECOND));
    assert.equal(has(2 * SECOND), false);
    assert.ok(has(2.1 * SECOND), "a burst is owed, and no more");
  });

  it("counts an IPv4 address, an IPv6 /64, or all together", () => {
    meter(1, 3_600_000, 1);
    assert.ok(take(SECOND));
    entry.setIPv4?.(0x7f000002);
    assert.ok(take(SECOND));
    entry.setIPv6?.(0x20010db800000001n, 1n);
    assert.ok(take(SECOND));
    entry.setIPv6?.(0x20010db800000001n, 2n);
    assert.equal(take(SECOND), false, "the same /64");
    entry.setIPv6?.(0x20010db800000002n, 1n);
    assert.ok(take(SECOND));
    meter(1, 3_600_000, 1, false, 2n);
    assert.ok(take(SECOND));
    entry.setIPv4?.(0x7f000001);
    assert.equal(take(SECOND), false);
  });

  it("keeps busy clients apart from a crowd of a million that come once, in bounded memory", function () {
    this.timeout(60_000);
    meter(10, 1000, 10);
    let now = SECOND;
    let passed = 0;
    let asked = 0;
    for (let client = 0; client < 1_000_000; client++) {
      now += 10;
      entry.setIPv4?.(0x0a000000 + client);
      assert.ok(take(now), "a newcomer has its burst");
      if (client % 10 !== 0) continue;
      // 100 busy clients, each at 100 queries a second: ten times what it may.
      entry.setIPv4?.(0xc0000200 + ((client / 10) % 100));
      if (take(now)) passed++;
      asked++;
    }
    assert.ok((entry.bytes?.() ?? 0) <= BUDGET, "octets");
    assert.ok((entry.count?.() ?? 0) > 5000, "and they are used");
    // 10 seconds of 100 clients: 10 at once and 10 a second each.
    const fair = 100 * (10 + 10 * 10);
    assert.equal(asked, 100_000);
    assert.ok(passed >= fair * 0.99 && passed <= fair * 1.05, `expected ${fair}, got ${passed}`);
  });

  describe("of a process with four workers", () => {
    beforeEach(() => {
      entry.open?.(BUDGET, 4);
      meter(100, 1000, 100, false);
    });

    const share = (part: number, now: number) => entry.share?.(1n, BigInt(part * 1_000_000), BigInt(now));
    const passIn = (from: number, seconds: number, renewed?: number) => {
      let passed = 0;
      for (let now = from; now < from + seconds * SECOND; now += 1000) {
        if (take(now)) passed++;
        if (renewed !== undefined && now % SECOND === 0) share(renewed, now);
      }
      return passed;
    };

    it("lets the burst through, and then an equal part, before a share is told", () => {
      const passed = passIn(SECOND, 10);
      assert.ok(passed >= 349 && passed <= 351, `expected 100 and 250, got ${passed}`);
    });

    it("lets its share of the rate through", () => {
      take(SECOND);
      share(0.6, SECOND);
      const passed = passIn(SECOND, 10, 0.6);
      // The burst, less the part of it that is others', and the rate.
      assert.ok(passed >= 658 && passed <= 660, `expected 59 and 600, got ${passed}`);
    });

    it("gives back what it has taken of others' shares", () => {
      for (let i = 0; i < 100; i++) assert.ok(take(SECOND));
      share(0.5, SECOND);
      // The other half of the burst was not this worker's: for a second nothing comes.
      assert.equal(passIn(SECOND, 1, 0.5), 0);
      const passed = passIn(2 * SECOND, 10, 0.5);
      assert.ok(passed >= 499 && passed <= 501, `expected 500, got ${passed}`);
    });

    it("lets a query through now and then, however small the share is", () => {
      meter(10, 1000, 10, false);
      take(SECOND);
      share(0.01, SECOND);
      const passed = passIn(2 * SECOND, 60, 0.01);
      assert.ok(passed >= 5 && passed <= 7, `expected 6, got ${passed}`);
    });

    it("goes back to an equal part when no share is told any more", () => {
      take(SECOND);
      share(0.05, SECOND);
      passIn(SECOND, 12);
      const passed = passIn(13 * SECOND, 10);
      assert.ok(passed >= 249 && passed <= 251, `expected 250, got ${passed}`);
    });

    it("tells what was counted every second, and soon where a burst is half spent", () => {
      assert.equal(entry.isDue?.(BigInt(SECOND)), 0, "nothing is used");
      entry.tell?.(BigInt(SECOND));
      for (let i = 0; i < 52; i++) take(SECOND);
      assert.equal(entry.isDue?.(BigInt(SECOND + 99_000)), 0);
      assert.equal(entry.isDue?.(BigInt(SECOND + 100_000)), 1);
      assert.equal(entry.tell?.(BigInt(SECOND + 100_000)), 1);
      // 52 in a tenth of a second, of 100 a second.
      assert.equal(entry.toldLoad?.(), 5200);
      share(0.9, SECOND + 100_000);
      for (let i = 0; i < 500; i++) take(SECOND + 200_000);
      assert.equal(entry.isDue?.(BigInt(SECOND + 1_000_000)), 0);
      assert.equal(entry.isDue?.(BigInt(SECOND + 1_100_000)), 1);
      assert.equal(entry.tell?.(BigInt(SECOND + 1_100_000)), 1);
      assert.equal(entry.toldLoad?.(), 5000);
    });

    it("tells nothing of clients far below their rate, and of 256 at most", () => {
      meter(100, 1000, 100);
      entry.tell?.(BigInt(SECOND));
      for (let client = 0; client < 1000; client++) {
        entry.setIPv4?.(0x0a000000 + client);
        take(2 * SECOND);
      }
      assert.equal(entry.tell?.(BigInt(2 * SECOND)), 0);
      for (let client = 0; client < 1000; client++) {
        entry.setIPv4?.(0x0a000000 + client);
        for (let i = 0; i < 6; i++) take(3 * SECOND);
      }
      assert.equal(entry.tell?.(BigInt(3 * SECOND)), 256);
    });

    it("holds more clients than it can tell of, that come and go", function () {
      this.timeout(60_000);
      meter(10, 1000, 10);
      for (let client = 0; client < 100_000; client++) {
        entry.setIPv4?.(0x0a000000 + client);
        assert.ok(take(SECOND + client * 10));
        if (client % 9999 === 0) entry.tell?.(BigInt(SECOND + client * 10));
      }
      assert.ok((entry.bytes?.() ?? 0) <= BUDGET, "octets");
    });
  });
});
