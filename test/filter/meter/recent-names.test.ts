/**
 * Which names are new: within a second or two of when they were seen, and in bounded memory.
 */
import assert from "node:assert/strict";
import { compile, type Entry, instantiate } from "../build.ts";

const SECOND = 1_000_000;

describe("recent names", () => {
  let module: WebAssembly.Module;
  let entry: Entry;

  before(async function () {
    this.timeout(60_000);
    module = await compile("test/filter/meter/entry/recent-names.ts");
  });
  beforeEach(async () => {
    ({ entry } = await instantiate(module));
  });

  /** Names come as hashes of 64 bits. */
  const hashOf = (name: number) => BigInt.asIntN(64, BigInt(name + 1) * 0x9e3779b97f4a7c15n);
  const see = (meter: number, name: number, now: number) => entry.see?.(BigInt(meter), hashOf(name), BigInt(now)) === 1;

  it("are known in the second in which they were seen, and in the next", () => {
    assert.equal(see(1, 5, 10 * SECOND), false);
    assert.equal(see(1, 5, 10.9 * SECOND), true);
    assert.equal(see(1, 5, 11.9 * SECOND), true);
    assert.equal(see(1, 5, 14 * SECOND), false);
    assert.equal(see(2, 5, 14 * SECOND), false, "of another meter");
  });

  it("are not mixed up with what was seen half a day before", () => {
    for (let name = 0; name < 1000; name++) see(1, name, 10 * SECOND);
    const later = 10 + 65_536;
    for (let name = 2000; name < 3000; name++) assert.equal(see(1, name, later * SECOND), false);
  });

  it("are 30,000 in a second with few that are forgotten, and a million in bounded memory", () => {
    for (let name = 0; name < 30_000; name++) assert.equal(see(1, name, SECOND), false);
    let forgotten = 0;
    for (let name = 0; name < 30_000; name++) if (!see(1, name, SECOND)) forgotten++;
    assert.ok(forgotten < 1500, `expected nearly none of 30,000 to be forgotten, got ${forgotten}`);
    const memory = entry.memorySize?.();
    for (let name = 0; name < 1_000_000; name++) see(1, name, SECOND + name);
    assert.equal(entry.memorySize?.(), memory);
  });
});
