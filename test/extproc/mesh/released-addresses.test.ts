/**
 * Virtual addresses that were given back, written down in a store that takes its time.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { ReleasedAddresses } from "../../../extproc/mesh/released-addresses.ts";
import { VirtualAddresses } from "../../../extproc/mesh/virtual-addresses.ts";

describe("virtual addresses that were given back", () => {
  it("are written by one at a time, each over what the one before wrote", async () => {
    const given = await VirtualAddresses.open(() => 0);
    given.setRanges({ ipv4: "240.240.0.0/29", ipv6: "2001:2::/48" });
    const hosts = ["prod/a/a.example", "prod/b/b.example"];
    for (const host of hosts) given.give(host);
    let version: string | undefined;
    const written: string[][] = [];
    const released = new ReleasedAddresses(
      {
        read: async () => undefined,
        write: async (octets, before) => {
          await setImmediate();
          assert.equal(before, version, "nobody else has written meanwhile");
          const lines = Buffer.from(octets).toString("utf8").trim().split("\n");
          written.push(lines.map((line) => JSON.parse(line).host));
          version = written.length.toString();
          return version;
        },
      },
      given,
    );
    const writes = [];
    for (const host of hosts) {
      given.release(host);
      writes.push(released.write());
      // It is being written by then.
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
    await Promise.all(writes);
    assert.deepEqual(written, [[hosts[0]], [...hosts]]);
    await given.close();
  });
});
