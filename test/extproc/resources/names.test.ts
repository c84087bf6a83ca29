import assert from "node:assert/strict";
import fc from "fast-check";
import { NameSyntaxError, parseName, parsePattern } from "../../../extproc/resources/name-pattern.ts";

describe("names and patterns", () => {
  const accepted: readonly (readonly [text: string, canonical: string, extent: string])[] = [
    ["example.com", "example.com", "exact"],
    ["Example.COM.", "example.com", "exact"],
    [".", ".", "exact"],
    ["*", "*", "every"],
    ["**", "*", "every"],
    ["*.", "*", "every"],
    ["*.com", "*.com", "below"],
    ["**.S3.amazonaws.com.", "*.s3.amazonaws.com", "below"],
    ["\\*.example.com", "\\042.example.com", "exact"],
    ["a\\.b.example", "a\\046b.example", "exact"],
    ["\\065bc", "abc", "exact"],
    ["\\000\\255", "\\000\\255", "exact"],
    ["0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa", "exact"],
    ["_sip._tcp.example", "_sip._tcp.example", "exact"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example", "exact"],
    ["a".repeat(63), "a".repeat(63), "exact"],
  ];
  for (const [text, canonical, extent] of accepted) {
    it(`takes ${text.slice(0, 40)}`, () => {
      const pattern = parsePattern(text);
      assert.deepEqual([pattern.text, pattern.extent], [canonical, extent]);
      assert.deepEqual(parsePattern(pattern.text), pattern);
    });
  }

  const refused: readonly (readonly [text: string, reason: RegExp])[] = [
    ["", /empty text/],
    ["a..b", /empty label, got one at character 3/],
    [".com", /empty label, got one at character 1/],
    ["frontend\u2013db.example", /U\+2013 at character 9 \(a dash that only looks like "-"\)/],
    ["a\u3002example", /U\+3002 at character 2 \(a dot that only looks like/],
    ["b\u00fccher.example", /U\+00FC at character 2 .*A-label/],
    ["\u{1f600}.example", /U\+1F600 at character 1/],
    ["a b.example", /U\+0020 at character 2 \(\\032 if it is meant\)/],
    ["a@b.example", /"@" at character 2 \(\\064/],
    ["www.*.com", /whole first label, got "\*" at character 5/],
    ["a*.com", /whole first label, got "\*" at character 2/],
    ["*a.com", /whole first label, got "\*" at character 1/],
    ["***.com", /whole first label/],
    ["*.*.com", /whole first label, got "\*" at character 3/],
    ["a\\256", /\\000 to \\255, got \\256 at character 2/],
    ["a\\", /after the backslash at character 2/],
    ["a\\1", /after the backslash at character 2/],
    ["a".repeat(64), /labels of at most 63 octets, got 64/],
    [Array(128).fill("a").join("."), /at most 255 octets, got 257/],
    [`*.${Array(126).fill("a").join(".")}.aa`, /at most 253 octets, got 256/],
  ];
  for (const [text, reason] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parsePattern(text),
        (error) => error instanceof NameSyntaxError && reason.test(error.message),
      );
    });
  }

  it("takes names of just 255 octets", () => {
    const longest = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
    assert.equal(parseName(longest).text, longest);
    assert.throws(() => parseName(`${longest}d`), NameSyntaxError);
  });

  it("reads back whatever octets a label has", () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 6 }), (labels) => {
        const text = labels
          .map((octets) => [...octets].map((one) => `\\${String(one).padStart(3, "0")}`).join(""))
          .join(".");
        const name = parseName(text);
        const lower = labels.map((octets) => octets.map((one) => (one >= 65 && one <= 90 ? one + 32 : one)));
        assert.deepEqual(
          name.labels.map((one) => [...one]),
          lower.map((one) => [...one]),
        );
        assert.deepEqual(parseName(name.text), name);
      }),
      { seed: 1035 },
    );
  });

  it("throws nothing but NameSyntaxError", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "*", ".", "\\", "1", "9", "\u2013", " ", "Z") }), (text) => {
        try {
          parsePattern(text);
        } catch (error) {
          assert.ok(error instanceof NameSyntaxError);
        }
      }),
      { seed: 1034, numRuns: 2000 },
    );
  });
});
