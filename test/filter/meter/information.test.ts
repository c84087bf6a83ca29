/**
 * What a name can carry out: the entropy of its labels below the registered name.
 */
import assert from "node:assert/strict";
import { compile, type Entry, instantiate } from "../build.ts";

describe("information in names", () => {
  let entry: Entry;

  before(async function () {
    this.timeout(60_000);
    ({ entry } = await instantiate(await compile("test/filter/meter/entry/information.ts")));
  });

  const TXT = 16;
  const informationIn = (name: string, type = 1) => {
    const labels = name.split(".");
    const wire = Buffer.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label)]), 0]);
    for (const [at, octet] of wire.entries()) entry.put?.(at, octet);
    return entry.information?.(wire.length, type) ?? 0;
  };
  /** Once more, plainly. */
  const plain = (text: string) =>
    [...new Set(text)].reduce((sum, one) => {
      const count = text.split(one).length - 1;
      return sum + (count * Math.log2(text.length / count)) / 8;
    }, 0);

  it("are the octets of what is random, below the registered name", () => {
    const random = "0123456789abcdef".repeat(2);
    assert.ok(Math.abs(informationIn(`${random}.example.com`) - 16) < 1e-9, "32 hex digits are 16 octets");
    assert.ok(Math.abs(informationIn(`${random}.${random}.example.com`) - 32) < 1e-9);
    assert.ok(Math.abs(informationIn("www.mail.example.com") - plain("wwwmail")) < 1e-9);
    assert.equal(informationIn(`${"a".repeat(63)}.example.com`), 0, "repeated, it carries nothing");
    assert.equal(informationIn(`${random}.com`), 0, "what is registered is nobody's payload");
    assert.equal(informationIn("com"), 0);
  });

  it("do not take a country's registry for a registered name", () => {
    assert.equal(informationIn("random1234.co.uk"), 0);
    assert.ok(informationIn("random1234.example.co.uk") > 0);
    assert.ok(informationIn("random1234.example.de") > 0);
  });

  it("count twice where answers carry as much in", () => {
    assert.equal(informationIn("random1234.example.com", TXT), 2 * informationIn("random1234.example.com"));
  });
});
