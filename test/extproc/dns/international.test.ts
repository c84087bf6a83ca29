/** Names in other scripts: what they are in the DNS, and by which name one that comes as UTF-8 is judged. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalName, toALabel } from "../../../extproc/dns/international.ts";
import { presentName } from "../../../extproc/dns/names.ts";

const wire = (...labels: (string | Uint8Array)[]): Uint8Array =>
  Uint8Array.from([
    ...labels.flatMap((label) => {
      const octets = typeof label === "string" ? Buffer.from(label) : label;
      return [octets.length, ...octets];
    }),
    0,
  ]);

describe("internationalized names", () => {
  it("have the A-labels of UTS 46", () => {
    const labels = [
      "b\u00fccher",
      "B\u00dcCHER",
      "bu\u0308cher",
      "fa\u00df",
      "\u4f8b\u3048",
      "\uff45\uff56\uff49\uff4c",
    ];
    assert.deepEqual(labels.map(toALabel), [
      "xn--bcher-kva",
      "xn--bcher-kva",
      "xn--bcher-kva",
      "xn--fa-hia",
      "xn--r8jz45g",
      "evil",
    ]);
  });

  it("have none where a URL's host would say something else, or nothing", () => {
    const labels = [
      "",
      "\u200b",
      "\u00fc%41",
      "\u00fc/",
      "\u00fc?",
      "\u00fc@",
      "\u00fc:1",
      "w\u3002x",
      "xn--\u00fc",
      "a\u200db",
      "\u00fc\0",
    ];
    assert.deepEqual(
      labels.map(toALabel),
      labels.map(() => undefined),
    );
    assert.equal(toALabel("\uff11\uff12\uff17"), "127", "no address");
  });

  const judged = (...labels: (string | Uint8Array)[]) => {
    const { wire: octets, international } = canonicalName(wire(...labels));
    return [presentName(octets), international];
  };

  it("are judged by these, label by label", () => {
    assert.deepEqual(judged("www", "example"), ["www.example.", 0]);
    assert.deepEqual(judged(), [".", 0]);
    assert.deepEqual(judged("www", "b\u00fccher", "example"), ["www.xn--bcher-kva.example.", 2]);
    assert.deepEqual(judged("\u00fc", "x", "B\u00dccher", "example"), ["xn--tda.x.xn--bcher-kva.example.", 4]);
  });

  it("stay what they are where they are no UTF-8, or nothing that has an A-label", () => {
    assert.deepEqual(judged(Uint8Array.of(0xfc), "example"), ["\\252.example.", 2]);
    assert.deepEqual(judged(Uint8Array.of(0xc3), "\u00fc", "example"), ["\\195.xn--tda.example.", 3]);
    assert.deepEqual(judged("my \u00fc", "example"), ["my\\032\\195\\188.example.", 2]);
    assert.deepEqual(judged("w\u3002x", "example"), ["w\\227\\128\\130x.example.", 2]);
  });

  it("are judged by what they end with where all of it would be too long", () => {
    const front = ["x".repeat(63), "y".repeat(63), "z".repeat(63), "w".repeat(39)];
    const { wire: octets } = canonicalName(wire(...front, "\u00e9", "b\u00fccher", "ex"));
    assert.match(presentName(octets), /w\.\\195\\169\.xn--bcher-kva\.ex\.$/);
  });

  it("are names again, of as many labels, whatever octets come", () => {
    const label = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 63 }),
      fc
        .string({ unit: "grapheme", minLength: 1, maxLength: 9 })
        .map((text) => Uint8Array.from(Buffer.from(text).subarray(0, 63))),
    );
    const count = (octets: Uint8Array) => {
      let labels = 0;
      let at = 0;
      for (; (octets[at] ?? 0) > 0; at += (octets[at] ?? 0) + 1) labels++;
      assert.equal(at, octets.length - 1);
      return labels;
    };
    fc.assert(
      fc.property(fc.array(label, { maxLength: 8 }), (labels) => {
        const name = wire(...labels);
        fc.pre(name.length <= 255);
        const { wire: octets } = canonicalName(name);
        assert.ok(octets.length <= 255);
        assert.equal(count(octets), labels.length);
        assert.deepEqual(canonicalName(octets).wire, octets, "once is enough");
      }),
      { seed: 5890, numRuns: 2000 },
    );
  });
});
