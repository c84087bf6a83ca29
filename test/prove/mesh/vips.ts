/**
 * Virtual addresses: many entries, restarts in other orders, entries that come and go: none moves, none is two hosts'.
 * (What becomes of an address on the way to the client is in mesh-table.)
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualAddresses } from "../../../extproc/mesh/virtual-addresses.ts";
import { type Proof, scaled } from "../proof.ts";

const ENTRIES = 50_000;
const RESTARTS = 10;
const RANGES = { ipv4: "240.240.0.0/16", ipv6: "2001:2::/48" };
/** Of a hundred entries, so many go and come back around a restart. */
const LEAVING = 5;

export const vips: Proof = {
  name: "vips",
  what: "50,000 entries, restarts, other orders, entries that come and go: no address moves, no two hosts share one",
  async run(scale, report) {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-vips-"));
    const path = join(folder, "virtual-addresses.jsonl");
    try {
      const hosts = Array.from(
        { length: scaled(ENTRIES, scale, 1000) },
        (_, index) => `ns-${index % 50}/e/h${index}.example`,
      );
      const first = new Map<string, string>();
      let [moves, collisions, without] = [0, 0, 0];
      let slowest = 0;
      for (let run = 0; run <= RESTARTS; run++) {
        const opened = performance.now();
        const addresses = await VirtualAddresses.open(() => run, path);
        addresses.setRanges(RANGES);
        const holders = new Map<string, string>();
        for (const host of shuffle(hosts, run)) {
          const [ipv4 = ""] = addresses.give(host);
          if (ipv4 === "") without++;
          if (holders.has(ipv4)) collisions++;
          holders.set(ipv4, host);
          if (first.get(host) !== undefined && first.get(host) !== ipv4) moves++;
          first.set(host, ipv4);
        }
        for (const [index, host] of hosts.entries()) {
          if ((index + run) % 100 < LEAVING) addresses.release(host);
        }
        await addresses.saved();
        slowest = Math.max(slowest, performance.now() - opened);
        await addresses.close();
      }
      report.figure("entries", hosts.length);
      report.figure("restarts", RESTARTS);
      report.figure("slowest run, ms", slowest);
      report.atMost("addresses that moved", moves, 0);
      report.atMost("addresses of two hosts", collisions, 0);
      report.atMost("hosts without an address", without, 0);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

/** In an order of its own for each seed. */
function shuffle<T>(values: readonly T[], seed: number): T[] {
  const shuffled = [...values];
  let state = seed * 2_654_435_761 + 1;
  for (let at = shuffled.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (at + 1);
    [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
  }
  return shuffled;
}
