import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUARANTINE_MS, VirtualAddresses } from "../../../extproc/mesh/virtual-addresses.ts";

const RANGES = { ipv4: "240.240.0.0/16", ipv6: "2001:2::/48" };
/** Six addresses. */
const SMALL = { ipv4: "240.240.0.0/29", ipv6: "2001:2::/48" };

async function openIn(ranges: typeof RANGES, now = () => 0): Promise<VirtualAddresses> {
  const addresses = await VirtualAddresses.open(now);
  addresses.setRanges(ranges);
  return addresses;
}

describe("virtual addresses", () => {
  it("are the same whatever else there is, as long as hashes do not meet", async () => {
    const [first, second] = [await openIn(RANGES), await openIn(RANGES)];
    const [ipv4, ipv6] = first.give("prod/a/a.example");
    assert.match(ipv4 ?? "", /^240\.240\.\d+\.\d+$/);
    assert.match(ipv6 ?? "", /^2001:2::/);
    second.give("prod/b/b.example");
    assert.deepEqual(second.give("prod/a/a.example"), [ipv4, ipv6]);
  });

  it("are never two hosts', nor the network's own, and end", async () => {
    const addresses = await openIn(SMALL);
    const given = Array.from({ length: 6 }, (_, index) => addresses.give(`prod/e/${index}.example`)[0]);
    const expected = [1, 2, 3, 4, 5, 6].map((last) => `240.240.0.${last}`);
    assert.deepEqual([...given].sort(), expected);
    assert.deepEqual(addresses.give("prod/e/more.example"), []);
    assert.deepEqual(addresses.status(), { size: 7, used: 6, quarantined: 0, without: 1 });
  });

  it("come back to their host, and to no other for a day", async () => {
    let now = 0;
    const addresses = await openIn(SMALL, () => now);
    const hosts = Array.from({ length: 6 }, (_, index) => `prod/e/${index}.example`);
    const [before] = hosts.map((host) => addresses.give(host)[0]);
    addresses.release(hosts[0] ?? "");
    assert.deepEqual(addresses.give("prod/e/more.example"), []);
    assert.equal(addresses.give(hosts[0] ?? "")[0], before);
    addresses.release(hosts[0] ?? "");
    now = QUARANTINE_MS;
    assert.equal(addresses.give("prod/e/more.example")[0], before);
    assert.deepEqual(addresses.give(hosts[0] ?? ""), []);
  });

  it("stay over restarts, in any order, and over a kill in the middle of a line", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-virtual-"));
    const path = join(folder, "mesh", "virtual-addresses.jsonl");
    try {
      const hosts = Array.from({ length: 3000 }, (_, index) => `prod/e/${index}.example`);
      const first = await VirtualAddresses.open(() => 0, path);
      first.setRanges(RANGES);
      const given = new Map(hosts.map((host) => [host, first.give(host)[0]]));
      assert.equal(new Set(given.values()).size, hosts.length);
      await first.saved();
      assert.ok(first.isSaved);
      await first.close();
      await appendFile(path, '{"host":"prod/e/0.exa');
      const second = await VirtualAddresses.open(() => 0, path);
      second.setRanges(RANGES);
      for (const host of hosts.toReversed()) assert.equal(second.give(host)[0], given.get(host));
      assert.equal(second.status().used, hosts.length);
      await second.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
