import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parseZone } from "../../demo/zone.ts";

const text = `
$TTL 300
$ORIGIN example.com.
@        SOA   ns hostmaster ( 1 7200   ; serial, refresh
               900 1209600 60 )
@        NS    ns
         60 IN A 192.0.2.1
www      A     192.0.2.80
shop     CNAME www
loop     CNAME loop
away     CNAME www.elsewhere.example.
*.wild   TXT   "a b" "c;d"
a.b.c    A     192.0.2.3
`;

describe("Zone file", () => {
  const zone = parseZone(text);
  const data = (name: string, type: string) =>
    zone.answer(name, type).answers.map((answer) => ("data" in answer ? answer.data : ""));

  it("answers a name, whatever its case", () => {
    assert.deepEqual(data("WWW.Example.com", "A"), ["192.0.2.80"]);
  });

  it("takes the owner and TTL of an indented entry", () => {
    assert.deepEqual(zone.answer("example.com", "A").answers, [
      { name: "example.com", ttl: 60, class: "IN", type: "A", data: "192.0.2.1" },
    ]);
  });

  it("follows an alias as far as it knows", () => {
    assert.deepEqual(data("shop.example.com", "A"), ["www.example.com", "192.0.2.80"]);
    const away = zone.answer("away.example.com", "A");
    assert.equal(away.answers.length, 1);
    assert.deepEqual(data("shop.example.com", "CNAME"), ["www.example.com"]);
  });

  it("ends a loop of aliases", () => {
    assert.ok(data("loop.example.com", "A").length < 20);
  });

  it("says NXDOMAIN with the zone's SOA", () => {
    const { rcode, authorities } = zone.answer("missing.example.com", "A");
    assert.equal(rcode, "NXDOMAIN");
    assert.deepEqual(
      authorities.map(({ type, name }) => [type, name]),
      [["SOA", "example.com"]],
    );
  });

  it("says NODATA for another type, and for a name that only has names below it", () => {
    for (const [name, type] of [
      ["www.example.com", "AAAA"],
      ["b.c.example.com", "A"],
    ] as const) {
      const { rcode, answers, authorities } = zone.answer(name, type);
      assert.deepEqual([rcode, answers.length, authorities.length], ["NOERROR", 0, 1], name);
    }
  });

  it("answers below a wildcard in the name that was asked", () => {
    const { answers } = zone.answer("x.y.wild.example.com", "TXT");
    assert.deepEqual(answers[0], {
      name: "x.y.wild.example.com",
      ttl: 300,
      class: "IN",
      type: "TXT",
      data: ["a b", "c;d"],
    });
  });

  it("names the line that it cannot read", () => {
    assert.throws(
      () => parseZone("www A 192.0.2.1\nbad WKS x\n", "z"),
      /^Error: z:2: expected a record type .* got WKS$/,
    );
    assert.throws(() => parseZone("mail MX ten mail\n", "z"), /^Error: z:1: expected a number, got ten$/);
  });

  it("of the demo reads", () => {
    const demo = parseZone(readFileSync(new URL("../../examples/upstream.zone", import.meta.url), "utf8"));
    assert.equal(demo.answer("www.example.com", "A").answers.length, 1);
    assert.equal(demo.answer("git.corp.example", "A").answers.length, 1);
    assert.equal(demo.answer("nowhere.invalid", "A").rcode, "NXDOMAIN");
  });
});
