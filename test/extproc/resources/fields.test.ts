import assert from "node:assert/strict";
import { parseTtl } from "../../../extproc/resources/duration.ts";
import { Network, parseNetwork, parseServerAddress } from "../../../extproc/resources/network.ts";
import { PrincipalPattern, parsePrincipal } from "../../../extproc/resources/principal.ts";
import { parseRecordType } from "../../../extproc/resources/record-type.ts";

function network(text: string): Network {
  const parsed = parseNetwork(text);
  assert.ok(parsed instanceof Network, String(parsed));
  return parsed;
}

describe("fields", () => {
  it("reads address blocks, and refuses what is none", () => {
    assert.equal(network("10.0.0.0/8").text, "10.0.0.0/8");
    assert.equal(network("FD00:0::/8").text, "fd00::/8");
    assert.equal(network("0.0.0.0/0").length, 0);
    for (const [text, reason] of [
      ["10.0.0.0", /address block as/],
      ["10.0.0.0/33", /at most 32/],
      ["10.1.0.0/8", /no bits beyond the prefix \(10\.0\.0\.0\/8\?\)/],
      ["10.0.1/24", /IPv4 or IPv6 address/],
      ["010.0.0.0/8", /IPv4 or IPv6 address/],
      ["::ffff:10.0.0.0/104", /without ::ffff:/],
      ["fe80::1%eth0/64", /IPv4 or IPv6 address/],
    ] as const) {
      assert.match(String(parseNetwork(text)), reason);
    }
  });

  it("knows which blocks overlap", () => {
    assert.ok(network("10.0.0.0/8").overlaps(network("10.1.0.0/16")));
    assert.ok(network("10.1.0.0/16").overlaps(network("10.0.0.0/8")));
    assert.ok(!network("10.0.0.0/9").overlaps(network("10.128.0.0/9")));
    assert.ok(!network("0.0.0.0/0").overlaps(network("::/0")));
  });

  it("takes addresses for servers, and no names", () => {
    assert.deepEqual(parseServerAddress("2001:DB8:0::1"), { address: "2001:db8::1" });
    for (const text of ["dns.example", "0.0.0.0", "::", "224.0.0.1", "[::1]", "::ffff:1.2.3.4", "1.2.3"]) {
      assert.equal(typeof parseServerAddress(text), "string", text);
    }
  });

  it("takes SPIFFE IDs with wildcards for whole segments", () => {
    assert.ok(parsePrincipal("spiffe://cluster.local/ns/web/sa/*") instanceof PrincipalPattern);
    for (const text of [
      "cluster.local/ns/web",
      "spiffe://*/ns/web",
      "spiffe://Cluster.local/ns",
      "spiffe://d/ns/web-*",
      "spiffe://d//x",
      "spiffe://d/../x",
      "spiffe://d/",
      "spiffe://d/a b",
    ]) {
      assert.equal(typeof parsePrincipal(text), "string", text);
    }
  });

  it("takes record types by name and number, and no meta types", () => {
    assert.equal(parseRecordType("aaaa"), 28);
    assert.equal(parseRecordType("HTTPS"), 65);
    assert.equal(parseRecordType("TYPE65280"), 65_280);
    for (const text of ["ANY", "AXFR", "TYPE0", "TYPE41", "TYPE255", "TYPE65536", "toString", ""]) {
      assert.equal(typeof parseRecordType(text), "string", text);
    }
  });

  it("takes durations of whole seconds up to a day", () => {
    assert.equal(parseTtl("30s"), 30);
    assert.equal(parseTtl("1h30m"), 5400);
    assert.equal(parseTtl("0s"), 0);
    for (const text of ["", "30", "1.5s", "500ms", "25h", "-1s", "s"])
      assert.equal(typeof parseTtl(text), "string", text);
  });
});
