/** What counts of an upstream's response: only an answer to the question that was asked, and of it only that. */
import { strict as assert } from "node:assert";
import packet from "dns-packet";
import { encodeQuestion } from "../../e2e/dns.ts";
import { labelsName, u16, u32, wireName } from "../wire/room.ts";
import {
  AD,
  AnswerLab,
  ASKED,
  a,
  chain,
  cname,
  encode,
  ID,
  opt,
  QR,
  RA,
  RD,
  Reading,
  raw,
  record,
  SECOND,
  START,
  soa,
  TC,
} from "./lab.ts";

const WWW = "www.example.org";

describe("responses of upstreams", () => {
  let lab: AnswerLab;
  before(async function () {
    this.timeout(120_000);
    lab = await AnswerLab.open();
  });
  beforeEach(() => {
    lab.limits();
    lab.ask();
    lab.query(encodeQuestion(WWW));
  });

  /** The records that a client gets of a response; undefined where it cannot be used. */
  const through = (message: Uint8Array) => {
    if (lab.read(message) !== Reading.Answered) return undefined;
    const { answers = [], authorities = [], additionals = [] } = packet.decode(lab.answer());
    return { answers, authorities, additionals };
  };
  const names = (records: packet.Answer[] = []) => records.map(({ name, type }) => `${name} ${type}`);

  it("are answers, as dns-packet reads them", () => {
    const message = encode({ answers: [a(WWW), a(WWW, "192.0.2.2", 20)], flags: RD | RA | AD });
    assert.deepEqual(through(message)?.answers, packet.decode(message).answers);
    const { expiresAt, staleUntil, storedAt, ...rest } = lab.fields;
    assert.deepEqual(rest, {
      ...{ rcode: 0, ttl: 20, answerCount: 2, authorityCount: 0, targetCount: 0, flags: AD },
      ...{ references: 1, ttlCount: 2 },
    });
    assert.equal(BigInt(storedAt ?? 0), START);
    assert.equal(BigInt(expiresAt ?? 0), START + 20n * SECOND);
    assert.equal(staleUntil, expiresAt);
    assert.equal(lab.room.call("share"), 1);
  });

  it("may be served stale for as long as the limits say", () => {
    lab.limits({ stale: 100 });
    lab.read(encode({ answers: [a(WWW)] }));
    assert.equal(BigInt(lab.fields.staleUntil ?? 0), START + 400n * SECOND);
  });

  it("are for the id, the opcode, the name in any case, the type and the class that were asked", () => {
    const answers = [a(WWW)];
    const refused: Record<string, Buffer> = {
      "no response": packet.encode({ type: "query", id: ID, questions: [{ name: WWW, type: "A" }], answers }),
      "another id": encode({ id: ID + 1, answers }),
      "another opcode": encode({ flags: 5 << 11, answers }),
      "another name": encode({ name: "ww.example.org", answers }),
      "a name below": encode({ name: `a.${WWW}`, answers }),
      "another type": encode({ type: "AAAA", answers }),
      "another class": encode({ questions: [{ name: WWW, type: "A", class: "CH" }], answers }),
      "no question": encode({ questions: [], answers }),
      "two questions": encode({ questions: [...Array(2)].map(() => ({ name: WWW, type: "A" })), answers }),
    };
    for (const [what, message] of Object.entries(refused)) assert.equal(lab.read(message), Reading.NotOurs, what);
    assert.equal(lab.fields.rcode, -1, "no answer is kept");
    assert.equal(lab.read(encode({ id: 1, answers }), { checkId: false }), Reading.Answered);
    assert.equal(lab.read(encode({ name: WWW.toUpperCase(), answers })), Reading.Answered);
    const sound = encode({ answers });
    for (let length = 0; length < 12 + 21; length++)
      assert.equal(lab.read(sound.subarray(0, length)), Reading.NotOurs, `cut at ${length}`);
    for (let length = 12 + 21; length < sound.length; length++)
      assert.equal(lab.read(sound.subarray(0, length)), Reading.Unusable, `cut at ${length}`);
  });

  it("that are truncated, or FORMERR without a question, are of no use", () => {
    assert.equal(lab.read(encode({ flags: RD | RA | TC, answers: [a(WWW)] })), Reading.Unusable);
    assert.equal(lab.read(encode({ questions: [], rcode: 1 })), Reading.Unusable);
    assert.equal(lab.read(encode({ questions: [], rcode: 1, id: 1 })), Reading.NotOurs);
    assert.equal(lab.read(encode({ questions: [], rcode: 2 })), Reading.NotOurs);
  });

  for (const length of [1, 5, 13, 16])
    it(`follow a chain of ${length} aliases`, () => {
      const answers = [...chain(length), a(`h${length}.example.net`)];
      assert.deepEqual(through(encode({ answers }))?.answers, packet.decode(encode({ answers })).answers);
      assert.deepEqual(
        lab.targets,
        chain(length).map((_, index) => `h${index + 1}.example.net`),
      );
    });

  it("follow no chain of 17 aliases", () => {
    assert.equal(lab.read(encode({ answers: [...chain(17), a("h17.example.net")] })), Reading.Unusable);
  });

  it("follow a chain in whatever order, case and repetition it stands", () => {
    const aliases = chain(13, "WWW.Example.org");
    const answers = [a("H13.example.net"), ...aliases.toReversed(), ...aliases.slice(0, 2)];
    assert.equal(through(encode({ answers }))?.answers.length, answers.length);
    assert.equal(lab.targets.length, 13);
    assert.equal(lab.fields.ttl, 300);
  });

  it("are of no use where a chain loops", () => {
    for (const answers of [
      [cname(WWW, WWW)],
      [cname(WWW, "b.org"), cname("b.org", WWW)],
      [cname(WWW, "b.org"), cname("b.org", "c.org"), cname("c.org", "B.org"), a("c.org")],
    ])
      assert.equal(lab.read(encode({ answers })), Reading.Unusable);
  });

  it("lose every record that does not belong to the question", () => {
    const answers = [
      ...[a("evil.example.com"), cname(WWW, "b.example.net"), a("b.example.net"), a("c.example.net")],
      ...[{ name: "b.example.net", type: "TXT" as const, ttl: 1, data: "text" }, cname("c.example.net", WWW)],
    ];
    const authorities: packet.Answer[] = [{ name: "example.net", type: "NS", ttl: 1, data: "ns.evil.example" }];
    const got = through(encode({ answers, authorities, additionals: [a("ns.evil.example")] }));
    assert.deepEqual(names(got?.answers), ["www.example.org CNAME", "b.example.net A"]);
    assert.deepEqual([got?.authorities, got?.additionals], [[], []]);
    assert.deepEqual(lab.targets, ["b.example.net"]);
    assert.equal(lab.fields.ttl, 300, "dropped records' TTLs do not count");
  });

  it("lose records of classes other than IN", () => {
    const chaos = record(ASKED, 1, Buffer.of(1, 2, 3, 4), 1, 3);
    assert.equal(through(raw("A", [chaos, record(ASKED, 1, Buffer.of(1, 2, 3, 4))]))?.answers.length, 1);
  });

  it("keep an alias that was asked for by type, and do not follow it", () => {
    lab.ask(WWW, "CNAME");
    const answers = [cname(WWW, "b.example.net"), cname("b.example.net", "c.example.net"), a("b.example.net")];
    assert.deepEqual(names(through(encode({ type: "CNAME", answers }))?.answers), ["www.example.org CNAME"]);
  });

  it("keep a DNAME above the chain, and its target to be judged", () => {
    const dname: packet.Answer = { name: "example.org", type: "DNAME", ttl: 60, data: "example.net" };
    const answers = [dname, cname(WWW, "www.example.net"), a("www.example.net")];
    assert.equal(through(encode({ answers }))?.answers.length, 3);
    assert.deepEqual(lab.targets, ["example.net", "www.example.net"]);
    const elsewhere: packet.Answer = { name: "ample.org", type: "DNAME", ttl: 60, data: "example.net" };
    assert.equal(through(encode({ answers: [elsewhere, a(WWW)] }))?.answers.length, 1);
  });

  it("keep signatures and proofs for who validates only", () => {
    const signature = record(ASKED, 46, Buffer.alloc(20, 1));
    const proof = record(wireName("example.org"), 47, Buffer.concat([wireName("z.example.org"), Buffer.of(0, 1, 64)]));
    const elsewhere = record(wireName("evil.org"), 46, Buffer.alloc(20, 1));
    const message = raw("A", [record(ASKED, 1, Buffer.alloc(4)), signature, elsewhere], [proof]);
    assert.equal(lab.read(message), Reading.Answered);
    assert.deepEqual([lab.fields.answerCount, lab.fields.authorityCount], [1, 0]);
    lab.ask(WWW, "A", true);
    assert.equal(lab.read(message), Reading.Answered);
    assert.deepEqual([lab.fields.answerCount, lab.fields.authorityCount], [2, 1]);
  });

  describe("that say no", () => {
    const negative = (rcode: number, authorities: packet.Answer[], answers: packet.Answer[] = []) => {
      assert.equal(lab.read(encode({ rcode, authorities, answers })), Reading.Answered);
      const { rcode: kept, ttl, authorityCount } = lab.fields;
      return { rcode: kept, ttl, authorityCount };
    };

    for (const rcode of [0, 3]) {
      it(`are kept for the SOA's MINIMUM or TTL, whichever is less (rcode ${rcode}; RFC 2308)`, () => {
        assert.deepEqual(negative(rcode, [soa("example.org", 900, 60)]), { rcode, ttl: 60, authorityCount: 1 });
        assert.deepEqual(negative(rcode, [soa("org", 30, 60)]), { rcode, ttl: 30, authorityCount: 1 });
        assert.deepEqual(negative(rcode, [soa(".", 30, 0)]), { rcode, ttl: 0, authorityCount: 1 });
        assert.deepEqual(negative(rcode, [soa(WWW, 10_000, 9000)]), { rcode, ttl: 3600, authorityCount: 1 });
      });

      it(`are not kept without an SOA from above the name (rcode ${rcode})`, () => {
        assert.deepEqual(negative(rcode, []), { rcode, ttl: 0, authorityCount: 0 });
        for (const owner of ["example.net", "ample.org", `a.${WWW}`])
          assert.deepEqual(negative(rcode, [soa(owner)]), { rcode, ttl: 0, authorityCount: 0 }, owner);
      });

      it(`are for the end of an alias (rcode ${rcode})`, () => {
        const answers = [cname(WWW, "b.example.net", 20)];
        assert.deepEqual(negative(rcode, [soa("example.net")], answers), { rcode, ttl: 20, authorityCount: 1 });
        assert.equal(lab.fields.answerCount, 1);
      });
    }

    it("have an SOA that says how long they are kept, and no longer", () => {
      lab.limits({ maxNegative: 45 });
      const got = (authority: packet.Answer) => through(encode({ rcode: 3, authorities: [authority] }))?.authorities[0];
      const ttlOf = (record: packet.Answer | undefined) => record && "ttl" in record && record.ttl;
      assert.equal(ttlOf(got(soa("example.org", 900, 30))), 30);
      assert.equal(ttlOf(got(soa("example.org", 900, 600))), 45);
      assert.deepEqual(got(soa("example.org", 20, 600)), { ...soa("example.org", 20, 600), class: "IN", flush: false });
    });

    it("have one SOA, and only they have", () => {
      assert.equal(negative(3, [soa("example.org"), soa("org")]).authorityCount, 1);
      assert.equal(negative(0, [soa("example.org")], [a(WWW)]).authorityCount, 0);
    });

    it("are of no use with a broken SOA", () => {
      for (const data of [Buffer.alloc(23), Buffer.concat([wireName("a"), wireName("b"), Buffer.alloc(19)])])
        assert.equal(lab.read(raw("A", [], [record(wireName("org"), 6, data)])), Reading.Unusable);
    });
  });

  it("of failures are SERVFAIL or REFUSED, for five seconds, without records", () => {
    for (const [rcode, kept] of [
      [1, 2],
      [2, 2],
      [4, 2],
      [5, 5],
      [9, 2],
    ] as const) {
      assert.equal(lab.read(encode({ rcode, answers: [a(WWW)], authorities: [soa("org")] })), Reading.Answered);
      const { rcode: got, ttl, answerCount, authorityCount } = lab.fields;
      assert.deepEqual([got, ttl, answerCount, authorityCount], [kept, 5, 0, 0]);
    }
    assert.equal(lab.read(encode({ additionals: [opt([], 1)] })), Reading.Answered);
    assert.equal(lab.fields.rcode, 2, "BADVERS is in the OPT record");
  });

  it("have TTLs up to a limit, and zero for what is none (RFC 2181, section 8)", () => {
    lab.limits({ max: 1000 });
    const got = (ttl: number) => {
      const answers = through(encode({ answers: [a(WWW, "192.0.2.1", ttl)] }))?.answers[0];
      return [answers && "ttl" in answers && answers.ttl, lab.fields.ttl];
    };
    assert.deepEqual(
      [got(999), got(1001), got(0x7fffffff), got(0x80000000), got(0xffffffff), got(0)],
      [
        ...[
          [999, 999],
          [1000, 1000],
          [1000, 1000],
          [0, 0],
          [0, 0],
          [0, 0],
        ],
      ],
    );
  });

  it("have one OPT record anywhere among the additional ones, owned by the root", () => {
    const answers = [a(WWW)];
    const additionals = [opt([[15, Buffer.concat([u16(3), Buffer.from("old")])]]), a("x.org")];
    assert.equal(lab.read(encode({ answers, additionals })), Reading.Answered);
    assert.deepEqual(lab.ede, Buffer.concat([u16(3), Buffer.from("old")]));
    assert.equal(lab.read(encode({ answers, additionals: additionals.toReversed() })), Reading.Answered);
    assert.equal(lab.ede.length, 5);
    assert.equal(lab.read(encode({ answers, additionals: [opt(), opt()] })), Reading.Unusable);
    const owned = Buffer.concat([encode({ answers }), wireName("x"), u16(41, 1232, 0, 0, 0)]);
    owned.writeUInt16BE(1, 10);
    assert.equal(lab.read(owned), Reading.Unusable);
    for (const data of [Buffer.of(0), u16(15, 3, 0)]) {
      const broken = Buffer.concat([encode({ answers }), Buffer.of(0), u16(41, 1232, 0, 0, data.length), data]);
      broken.writeUInt16BE(1, 10);
      assert.equal(lab.read(broken), Reading.Unusable);
    }
  });

  it("keep the first EDE, with text that stays text when it is cut (RFC 8914)", () => {
    const options: [number, Buffer][] = [
      [15, Buffer.of(1)],
      [15, Buffer.concat([u16(22), Buffer.from("ü".repeat(150))])],
      [15, u16(1)],
    ];
    assert.equal(lab.read(encode({ rcode: 2, additionals: [opt(options)] })), Reading.Answered);
    assert.equal(lab.ede.readUInt16BE(0), 22);
    assert.equal(lab.ede.toString("utf8", 2), "ü".repeat(100));
    options[1] = [15, Buffer.concat([u16(22), Buffer.from(`.${"ü".repeat(150)}`)])];
    lab.read(encode({ rcode: 2, additionals: [opt(options)] }));
    assert.equal(lab.ede.toString("utf8", 2), `.${"ü".repeat(99)}`);
    assert.equal(lab.read(encode({ answers: [a(WWW)] })), Reading.Answered);
    assert.equal(lab.ede.length, 0);
  });

  describe("point to names", () => {
    const target = Buffer.concat([Buffer.of(1), Buffer.from("T"), u16(0xc010)]);
    const full = wireName("T.example.org");
    const cases: [type: string, number: number, before: Buffer, after: Buffer][] = [
      ["NS", 2, Buffer.of(), Buffer.of()],
      ["PTR", 12, Buffer.of(), Buffer.of()],
      ["MX", 15, u16(10), Buffer.of()],
      ["SRV", 33, u16(1, 2, 443), Buffer.of()],
      ["NAPTR", 35, Buffer.concat([u16(1, 2), Buffer.from("\x01S\x07SIP+D2U\x00", "latin1")]), Buffer.of()],
      ["DNAME", 39, Buffer.of(), Buffer.of()],
      ["SVCB", 64, u16(1), Buffer.concat([u16(3, 2, 443)])],
      ["HTTPS", 65, u16(1), Buffer.of()],
    ];
    for (const [type, number, before, after] of cases)
      it(`by ${type}, which may be compressed where it comes from`, () => {
        lab.ask(WWW, type);
        lab.query(encodeQuestion(WWW, { type: type === "SVCB" || type === "HTTPS" ? "A" : type }));
        const message = raw(type, [record(ASKED, number, Buffer.concat([before, target, after]))]);
        assert.equal(lab.read(message), Reading.Answered);
        assert.deepEqual(lab.targets, ["NS", "PTR", "NAPTR"].includes(type) ? [] : ["t.example.org"]);
        const data = lab.answer().subarray(12 + 21 + 2 + 10);
        const compressed = Buffer.concat([before, target, after]);
        const mayCompress = ["NS", "PTR", "MX"].includes(type);
        assert.deepEqual(data, mayCompress ? compressed : Buffer.concat([before, full, after]));
        // Nothing but the root: no service, or the owner itself.
        assert.equal(lab.read(raw(type, [record(ASKED, number, Buffer.concat([before, Buffer.of(0), after]))])), 0);
        assert.deepEqual(lab.targets, []);
        for (const broken of [before, Buffer.concat([before, target.subarray(0, 2)])])
          assert.equal(lab.read(raw(type, [record(ASKED, number, broken)])), Reading.Unusable);
        if (!["SVCB", "HTTPS"].includes(type)) {
          const long = Buffer.concat([before, target, Buffer.of(0)]);
          assert.equal(lab.read(raw(type, [record(ASKED, number, long)])), Reading.Unusable, "octets after it");
        }
      });

    it("each once, up to 64 of them", () => {
      lab.ask(WWW, "MX");
      const mx = (count: number) =>
        raw(
          "MX",
          Array.from({ length: count }, (_, index) =>
            record(ASKED, 15, Buffer.concat([u16(1), wireName(`m${index}`)])),
          ),
        );
      assert.equal(lab.read(mx(64)), Reading.Answered);
      assert.equal(lab.fields.targetCount, 64);
      assert.equal(lab.read(mx(65)), Reading.Unusable);
      const same = record(ASKED, 15, Buffer.concat([u16(1), wireName("Mail.org")]));
      const folded = record(ASKED, 15, Buffer.concat([u16(1), wireName("mail.ORG")]));
      assert.equal(lab.read(raw("MX", [same, folded, same])), Reading.Answered);
      assert.deepEqual(lab.targets, ["mail.org"]);
    });

    it("whose octets have a limit too", () => {
      lab.ask(WWW, "MX");
      const long = (index: number) => labelsName(...Array.from({ length: 3 }, () => Buffer.alloc(63, 97 + index)));
      const mx = (count: number) =>
        raw(
          "MX",
          Array.from({ length: count }, (_, index) => record(ASKED, 15, Buffer.concat([u16(1), long(index)]))),
        );
      assert.equal(lab.read(mx(21)), Reading.Answered);
      assert.equal(lab.read(mx(22)), Reading.Unusable);
    });
  });

  it("are of no use with more records than an answer may have", () => {
    const head = (count: number) => Buffer.concat([u16(ID, QR | RA, 1, count, 0, 0), wireName(WWW), u16(1, 1)]);
    const records = (count: number) => Array.from({ length: count }, () => record(ASKED, 1, Buffer.alloc(4)));
    assert.equal(lab.read(Buffer.concat([head(4000), ...records(4000)])), Reading.Answered);
    assert.equal(lab.fields.answerCount, 4000);
    assert.equal(lab.read(Buffer.concat([head(4097), ...records(4097)])), Reading.Unusable);
    assert.equal(lab.read(Buffer.concat([head(2), ...records(1)])), Reading.Unusable);
  });

  it("leave opaque data as it is", () => {
    lab.ask(WWW, "TXT");
    const data = Buffer.concat([Buffer.of(5, 0xc0, 0x0c, 0, 255, 1), u32(0)]);
    assert.equal(lab.read(raw("TXT", [record(ASKED, 16, data)])), Reading.Answered);
    lab.query(encodeQuestion(WWW, { type: "TXT" }));
    assert.deepEqual(lab.answer().subarray(-data.length), data);
  });
});
