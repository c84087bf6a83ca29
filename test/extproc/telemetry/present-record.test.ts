import assert from "node:assert/strict";
import { presentRecord } from "../../../extproc/dns/present-record.ts";
import { parseRecord } from "../../../extproc/resources/record.ts";

describe("a record in words", () => {
  const RECORDS = [
    "A 192.0.2.1",
    "AAAA 2001:db8::1",
    "CNAME www.example.org.",
    "NS ns.example.",
    "PTR host.example.",
    "MX 10 mail.example.",
    'TXT "two words" "a \\" and a \\\\"',
    "SRV 10 5 443 host.example.",
    "TYPE65280 \\# 2 0aff",
    "TYPE65280 \\# 0",
  ];
  for (const text of RECORDS) {
    it(`is read as it was written: ${text}`, () => {
      const record = parseRecord(text);
      assert.ok(typeof record !== "string", String(record));
      const { type, data } = record;
      assert.equal(presentRecord({ type, data: Buffer.from(data).toString("base64") }), text);
    });
  }

  it("that is not of its type's form is told in octets", () => {
    assert.equal(presentRecord({ type: 1, data: Buffer.from("abc").toString("base64") }), "A \\# 3 616263");
  });
});
