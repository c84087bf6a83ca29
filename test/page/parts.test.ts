/**
 * What of the page needs no browser.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { Authority } from "../../demo/certificates.ts";
import { readEvents, type ServerEvent } from "../../page/src/api/event-stream.ts";
import { enforceRule } from "../../page/src/tenants/enforce.ts";
import { layOut } from "../../page/src/tenants/map-layout.ts";
import { expiriesIn } from "../../page/src/upstreams/certificate-expiry.ts";

describe("server-sent events", () => {
  const text =
    ': hello\n\nevent: query\ndata: {"a":"ü\\n"}\n\nevent: lost\ndata: {"lost":3}\n\n:\n\ndata: plain\n\nevent: cut';
  const expected: ServerEvent[] = [
    { event: "query", data: '{"a":"ü\\n"}' },
    { event: "lost", data: '{"lost":3}' },
    { event: "message", data: "plain" },
  ];
  for (const size of [1, 2, 7, 1000]) {
    it(`are the same in pieces of ${size} octets`, async () => {
      const octets = Buffer.from(text);
      const pieces = Array.from({ length: Math.ceil(octets.length / size) }, (_, index) =>
        Uint8Array.from(octets.subarray(index * size, (index + 1) * size)),
      );
      const read: ServerEvent[] = [];
      for await (const events of readEvents(ReadableStream.from(pieces) as never)) read.push(...events);
      assert.deepEqual(read, expected);
    });
  }
});

describe("what enforces a rule on trial", () => {
  const text = `kind: DnsPolicy
spec:
  mode: Audit # until Monday
  rules:
    - { name: one, action: Deny, mode: Audit } # a word
    - name: two
      mode: "Audit"
`;
  it("is one word wherever the text has it on trial, and all else as it was", () => {
    const one = enforceRule(text, "one");
    assert.equal(
      one,
      text.replace("mode: Audit # until", "mode: Enforce # until").replace("mode: Audit }", "mode: Enforce }"),
    );
    const two = enforceRule(text, "two");
    assert.equal(two, text.replace("mode: Audit # until", "mode: Enforce # until").replace('"Audit"', "Enforce"));
  });

  it("is nothing for a rule that is not there or in earnest", () => {
    assert.equal(enforceRule(text, "three"), undefined);
    assert.equal(enforceRule(text.replaceAll(/"?Audit"?/g, "Enforce"), "one"), undefined);
    assert.equal(enforceRule("- no\n- policy\n", "one"), undefined);
  });
});

describe("the map's layout", () => {
  const tenant = (name: string) => ({ tenant: name, queries: 10, denied: 1, wouldDeny: 0, uniqueNames: 3 });
  it("has owners before zones, one band for each pair, and one place for what is too much", () => {
    const zones = Array.from({ length: 30 }, (_, index) => ({
      tenant: "a",
      zone: `z${index}.`,
      queries: 100 - index,
      denied: 0,
    }));
    const owned = ["x.svc.cluster.local.", "y.svc.cluster.local."].map((zone) => {
      return { tenant: "a", zone, owner: "b", queries: 400, denied: 200 };
    });
    const { targets, bands, tenants } = layOut({ tenants: [tenant("a"), tenant("b")], edges: [...zones, ...owned] });
    assert.deepEqual(
      tenants.map(({ name }) => name),
      ["a", "b"],
    );
    assert.equal(targets[0]?.name, "b");
    assert.deepEqual(targets[0]?.zones, ["x.svc.cluster.local.", "y.svc.cluster.local."]);
    assert.equal(targets.at(-1)?.name, "14 other zones");
    assert.equal(targets.length, 18);
    const band = bands.find(({ target }) => target.kind === "owner");
    assert.deepEqual([band?.queries, band?.denied], [800, 400]);
    assert.ok(band !== undefined && Math.abs(band.deniedWidth - band.width / 2) < 1e-9);
    assert.equal(
      bands.reduce((sum, { queries }) => sum + queries, 0),
      zones.reduce((sum, { queries }) => sum + queries, 800),
    );
  });
});

describe("until when certificates are valid", () => {
  it("is what OpenSSL says of them", async () => {
    const { certificate: ca } = await Authority.create("an authority");
    const [expiry, ...more] = expiriesIn(`${ca}\nno certificate\n`);
    assert.equal(expiry?.toISOString(), new Date(new X509Certificate(ca).validTo).toISOString());
    assert.deepEqual(more, []);
    assert.deepEqual(expiriesIn("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), []);
  });
});
