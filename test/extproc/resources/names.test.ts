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
    ["b\u00fccher.example", "xn--bcher-kva.example", "exact"],
    ["*.B\u00dcCHER.example.", "*.xn--bcher-kva.example", "below"],
    ["**.bu\u0308cher.example", "*.xn--bcher-kva.example", "below"],
    ["www.\u0645\u062b\u0627\u0644.\u0625\u062e\u062a\u0628\u0627\u0631", "www.xn--mgbh0fb.xn--kgbechtv", "exact"],
    ["fa\u00df.example", "xn--fa-hia.example", "exact"],
    ["_\u00fc._tcp.example", "xn--_-eha._tcp.example", "exact"],
    ["\uff11\uff12.example", "12.example", "exact"],
    ["b\\195\\188cher.example", "xn--bcher-kva.example", "exact"],
    ["b\\252cher.example", "b\\252cher.example", "exact"],
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
    [
      "a.b\u00fc\\065cher.example",
      /internationalized label that has an A-label .*, got one that has none at character 3/,
    ],
    ["xn--b\u00fc.example", /that has none at character 1/],
    [
      `${String.fromCharCode(...Array.from({ length: 40 }, (_, index) => 0x4e00 + index * 97))}.example`,
      /that has none at character 1/,
    ],
    ["\u{1f600}.example", /U\+1F600 at character 1 \(its A-label/],
    ["b\u00fc cher.example", /U\+0020 at character 3/],
    ["b\u00fccher\uff0eexample", /U\+FF0E at character 7 \(a dot that only looks like/],
    ["a\u200bb.example", /U\+200B at character 2/],
    ["1\u20442.example", /U\+2044 at character 2/],
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
