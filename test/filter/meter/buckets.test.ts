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
    entry.open?.(BUDGET);
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
});
