/** What clients get: answers fitted to them and their transport, read by dns-packet. */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import packet from "dns-packet";
import protobuf from "protobufjs";
import { type Answer, decodeAnswer, encodeQuestion, FLAGS } from "../../e2e/dns.ts";
import { u16 } from "../wire/room.ts";
import { AnswerLab, ASKED, a, cname, encode, opt, RD, type Response, raw, record, SECOND, START, soa } from "./lab.ts";

const WWW = "www.example.org";
enum Over {
  Udp,
  Tcp,
  DoT,
  DoH,
  DoH3,
}
const EVERY = [Over.Udp, Over.Tcp, Over.DoT, Over.DoH, Over.DoH3];
const KEEPALIVE = { code: 11, data: Buffer.alloc(0) };
const verdict = new protobuf.Root()
  .loadSync(fileURLToPath(new URL("../../../protos/verdict.proto", import.meta.url)), { keepCase: true })
  .lookupType("dns.mesh.v1.Verdict");

describe("answers to clients", () => {
  let lab: AnswerLab;
  before(async function () {
    this.timeout(120_000);
    lab = await AnswerLab.open();
  });
  beforeEach(() => {
    lab.limits();
    lab.ask();
    lab.room.call("setWriter", 1232, 10_000);
  });

  const written = (name: string, ...values: number[]) => lab.room.output(lab.room.call(name, ...values));
  /** The answer to the query, of an upstream's response. */
  const answered = (
    query: Uint8Array,
    response: Response,
    options: Parameters<AnswerLab["answer"]>[0] = {},
  ): Answer => {
    assert.equal(lab.read(encode(response)), 0);
    lab.query(query);
    return decodeAnswer(lab.answer(options));
  };
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => a(WWW, `192.0.${index >> 8}.${index & 255}`));
  const optionsOf = (message: Uint8Array) => {
    const record = packet
      .decode(Buffer.from(message))
      .additionals?.find(({ type }) => type === "OPT") as packet.OptAnswer;
    return (record?.options ?? []).map(({ code }) => code);
  };

  it("have the id, the name in its case, and RD and CD of the query", () => {
    for (const flags of [FLAGS.RD, FLAGS.RD | FLAGS.CD, 0]) {
      const got = answered(encodeQuestion("wWw.Example.ORG", { id: 77, flags }), { answers: [a(WWW)] });
      assert.equal(got.id, 77);
      assert.equal(got.flags, 0x8000 | flags | FLAGS.RA);
      assert.deepEqual(got.question, { name: "wWw.Example.ORG", type: "A" });
      assert.deepEqual(got.answers, [{ name: "wWw.Example.ORG", type: "A", ttl: 300, data: "192.0.2.1" }]);
      assert.equal(got.edns, undefined);
    }
  });

  it("have the records of the response, whatever they are", () => {
    const answers: packet.Answer[] = [cname(WWW, "b.example.net"), cname("b.example.net", "c.b.example.net")];
    answers.push(a("c.b.example.net"), a("c.b.example.net", "192.0.2.9", 5));
    const got = answered(encodeQuestion(WWW), { answers });
    assert.deepEqual(got.answers, decodeAnswer(encode({ answers })).answers);
    assert.ok(got.size < encode({ answers }).length, "names are compressed");
    const none = answered(encodeQuestion(WWW), { rcode: 3, authorities: [soa("example.org", 60, 60)] });
    assert.equal(none.rcode, "NXDOMAIN");
    assert.deepEqual(none.authorities, decodeAnswer(encode({ authorities: [soa("example.org", 60, 60)] })).authorities);
  });

  it("count every TTL down, to zero and no further", () => {
    const response = { answers: [cname(WWW, "b.org", 100), a("b.org", "192.0.2.1", 20)] };
    for (const [seconds, ttls, least] of [
      [0n, [100, 20], 20],
      [1n, [99, 19], 19],
      [20n, [80, 0], 0],
      [99n, [1, 0], 0],
      [5000n, [0, 0], 0],
    ] as const) {
      const got = answered(encodeQuestion(WWW), response, { now: START + seconds * SECOND + 999_999n });
      assert.deepEqual(
        got.answers.map(({ ttl }) => ttl),
        ttls,
      );
      assert.equal(lab.room.call("writtenTtl"), least);
    }
    const before = answered(encodeQuestion(WWW), response, { now: START - SECOND });
    assert.equal(before.answers[0]?.ttl, 100, "a clock that goes back adds nothing");
  });

  it("that are stale have a TTL of 30 seconds and say so (RFC 8767)", () => {
    const got = answered(
      encodeQuestion(WWW, { edns: 1232 }),
      { answers: [a(WWW)] },
      { stale: true, now: START + 999n * SECOND },
    );
    assert.equal(got.answers[0]?.ttl, 30);
    assert.deepEqual(got.ede, [{ code: 3, text: "" }]);
    assert.deepEqual([lab.room.call("writtenTtl"), lab.room.call("writtenEde")], [30, 3]);
  });

  it("say so of an NXDOMAIN by its own code (RFC 8914, section 4.20)", () => {
    const stale = { stale: true, now: START + 999n * SECOND };
    const got = answered(encodeQuestion(WWW, { edns: 1232 }), { flags: RD | FLAGS.RA | 3 }, stale);
    assert.deepEqual([got.rcode, got.ede], ["NXDOMAIN", [{ code: 19, text: "" }]]);
  });

  it("have AD for who asks by AD or DO, where the upstream says so (RFC 6840)", () => {
    for (const [upstream, query, expected] of [
      [FLAGS.AD, { flags: FLAGS.RD | FLAGS.AD }, true],
      [FLAGS.AD, { dnssecOk: true }, true],
      [FLAGS.AD, {}, false],
      [0, { dnssecOk: true, flags: FLAGS.RD | FLAGS.AD }, false],
    ] as const) {
      const got = answered(encodeQuestion(WWW, query), { answers: [a(WWW)], flags: RD | upstream });
      assert.equal((got.flags & FLAGS.AD) !== 0, expected);
    }
  });

  it("have EDNS for who asks with it, with DO as it came", () => {
    for (const dnssecOk of [false, true]) {
      const got = answered(encodeQuestion(WWW, { edns: 4096, dnssecOk }), { answers: [a(WWW)] });
      assert.equal(got.edns, 1232);
      const record = packet.decode(got.wire).additionals?.[0] as packet.OptAnswer;
      assert.equal((record.flags & packet.DNSSEC_OK) !== 0, dnssecOk);
    }
  });

  it("pass on the upstream's EDE", () => {
    const additionals = [opt([[15, Buffer.concat([u16(9), Buffer.from("no key")])]])];
    const response = { rcode: 2, additionals };
    const got = answered(encodeQuestion(WWW, { edns: 1232 }), response);
    assert.deepEqual([got.rcode, got.ede], ["SERVFAIL", [{ code: 9, text: "no key" }]]);
    assert.equal(lab.room.call("writtenTtl"), 0, "no failure is kept by who asked");
    assert.deepEqual(answered(encodeQuestion(WWW), response).ede, []);
  });

  describe("over UDP", () => {
    it("are cut to nothing, with TC, where they do not fit", () => {
      // 12 octets of header, 21 of the question, 16 a record: 29 records are 497 octets, 30 are 513.
      for (const [edns, count, fits] of [
        [undefined, 29, true],
        [undefined, 30, false],
        [512, 29, true],
        [512, 30, false],
        [800, 47, true],
        [800, 48, false],
        [4096, 74, true],
        [4096, 75, false],
      ] as const) {
        const query = encodeQuestion(WWW, edns ? { edns } : {});
        const got = answered(query, { answers: many(count) }, { transport: Over.Udp });
        assert.equal((got.flags & FLAGS.TC) !== 0, !fits, `${count} records in ${edns}`);
        assert.equal(got.answers.length, fits ? count : 0);
        assert.equal(got.edns !== undefined, edns !== undefined);
        assert.ok(got.size <= Math.min(edns ?? 512, 1232));
        assert.equal(lab.room.call("writtenTtl"), fits ? 300 : 0);
        assert.equal(answered(query, { answers: many(count) }, { transport: Over.Tcp }).answers.length, count);
      }
    });

    it("lose the text of an EDE before their records", () => {
      const additionals = [opt([[15, Buffer.concat([u16(9), Buffer.alloc(100, 0x61)])]])];
      // 497 octets and 11 of OPT leave room for four more; the option alone has six.
      const got = (count: number) =>
        answered(encodeQuestion(WWW, { edns: 512 }), { answers: many(count), additionals }, { transport: Over.Udp });
      assert.deepEqual([got(20).answers.length, got(20).ede[0]?.text.length], [20, 100]);
      assert.deepEqual([got(28).answers.length, got(28).ede], [28, [{ code: 9, text: "" }]]);
      assert.deepEqual([got(29).answers.length, got(29).ede], [0, [{ code: 9, text: "" }]]);
    });
  });

  describe("with padding", () => {
    const query = encodeQuestion(WWW, { edns: 4096, padding: 1 });
    it("are padded to blocks of 468 octets where the way is encrypted (RFC 8467)", () => {
      for (let count = 0; count < 130; count++)
        for (const transport of [Over.DoT, Over.DoH, Over.DoH3]) {
          const got = answered(query, { answers: many(count) }, { transport });
          assert.equal(got.size % 468, 0, `${count} records: ${got.size} octets`);
          assert.ok(got.padding < 468);
        }
    });

    it("are not padded over UDP and TCP, nor unasked", () => {
      for (const transport of [Over.Udp, Over.Tcp])
        assert.deepEqual(optionsOf(answered(query, { answers: many(3) }, { transport }).wire), []);
      const plain = encodeQuestion(WWW, { edns: 4096 });
      assert.deepEqual(optionsOf(answered(plain, { answers: many(3) }, { transport: Over.DoT }).wire), []);
    });

    it("are padded as far as a message goes where there is no whole block left", () => {
      lab.ask(WWW, "TXT");
      lab.query(encodeQuestion(WWW, { type: "TXT", edns: 4096, padding: 1 }));
      // With OPT and the option's head there are 15 octets more; 65520 is the last whole block.
      for (const [size, padded] of [
        [65_400, 65_520],
        [65_505, 65_520],
        [65_506, 65_535],
        [65_520, 65_535],
        [65_521, 65_532],
        [65_524, 65_535],
      ] as const) {
        assert.equal(lab.read(textsOf(size)), 0);
        const got = decodeAnswer(lab.answer({ transport: Over.DoT }));
        assert.deepEqual([got.rcode, got.size], ["NOERROR", padded], `${size} octets`);
        assert.ok(got.answers.length > 250);
      }
      assert.equal(lab.read(textsOf(65_525)), 0);
      assert.equal(decodeAnswer(lab.answer({ transport: Over.DoT })).rcode, "SERVFAIL", "OPT itself has no room");
    });
    /** A response of this size: texts of up to 250 octets. */
    const textsOf = (size: number) => {
      const texts: Buffer[] = [];
      for (let left = size - 33; left > 0; ) {
        const whole = left >= 280 ? 250 : left > 267 ? 200 : left;
        texts.push(record(ASKED, 16, Buffer.concat([Buffer.of(whole - 13), Buffer.alloc(whole - 13, 0x61)])));
        left -= whole;
      }
      return raw("TXT", texts);
    };
  });

  it("tell the idle time over TCP and DoT only, to who asks for it (RFC 7828)", () => {
    const query = encodeQuestion(WWW, { options: [KEEPALIVE] });
    for (const transport of EVERY) {
      const got = answered(query, { answers: [a(WWW)] }, { transport });
      const expected = transport === Over.Tcp || transport === Over.DoT ? [11] : [];
      assert.deepEqual(optionsOf(got.wire), expected, Over[transport]);
      if (expected.length > 0) assert.deepEqual(got.wire.subarray(-6), u16(11, 2, 100));
    }
    assert.deepEqual(optionsOf(answered(encodeQuestion(WWW, { edns: 1232 }), { answers: [a(WWW)] }).wire), []);
  });

  it("that are too large for any message are SERVFAIL", () => {
    lab.ask(WWW, "TXT");
    const data = Array.from({ length: 256 }, () => Buffer.alloc(255, 0x61));
    data[255] = Buffer.alloc(255 - 49, 0x61);
    const message = encode({ type: "TXT", answers: [{ name: WWW, type: "TXT", ttl: 60, data: data.slice(0, 255) }] });
    assert.equal(lab.read(message), 0);
    lab.query(encodeQuestion(WWW, { type: "TXT", edns: 4096 }));
    assert.equal(decodeAnswer(lab.answer()).answers.length, 1);
    // One that fits without our OPT record, and not with it.
    const full = { name: WWW, type: "TXT", ttl: 60, data: [...data.slice(0, 255), Buffer.alloc(200, 0x61)] };
    assert.equal(lab.read(encode({ type: "TXT", answers: [full as packet.Answer] })), 0);
    const got = decodeAnswer(lab.answer());
    assert.deepEqual([got.rcode, got.answers.length, got.edns], ["SERVFAIL", 0, 1232]);
    assert.equal(lab.room.call("writtenRcode"), 2);
    lab.query(encodeQuestion(WWW, { type: "TXT" }));
    assert.equal(decodeAnswer(lab.answer()).answers.length, 1);
  });

  it("to another version of EDNS are BADVERS", () => {
    const query = encodeQuestion(WWW, { edns: 1232 });
    query.writeUInt8(1, query.length - 5);
    assert.equal(lab.query(query), 3);
    const got = decodeAnswer(written("writeError", Over.Udp, 16, 0));
    assert.deepEqual([got.rcode, got.edns, got.ede], ["16", 1232, []]);
  });

  it("that are errors have a reason, and the question where it was read", () => {
    lab.query(encodeQuestion(WWW, { id: 5, edns: 1232, flags: FLAGS.RD | FLAGS.CD }));
    const got = decodeAnswer(written("writeError", Over.Tcp, 5, 1));
    assert.deepEqual([got.id, got.rcode, got.ede], [5, "REFUSED", [{ code: 15, text: "a reason" }]]);
    assert.equal(got.flags, 0x8000 | FLAGS.RD | FLAGS.CD | FLAGS.RA | 5);
    assert.equal(lab.room.call("writtenTtl"), 0);
    lab.query(encodeQuestion(WWW, { flags: 4 << 11 }));
    const other = written("writeError", Over.Udp, 4, 0);
    assert.equal(other.length, 12);
    assert.equal(other.readUInt16BE(2), 0x8000 | (4 << 11) | 4, "the opcode comes back");
  });

  it("to ANY are one HINFO (RFC 8482)", () => {
    const query = packet.encode({ type: "query", id: 1, questions: [{ name: WWW, type: "ANY" as "A" }] });
    lab.query(query);
    const { answers = [] } = packet.decode(written("writeAny", Over.Udp));
    assert.deepEqual(answers, [
      { name: WWW, type: "HINFO", ttl: 3600, class: "IN", flush: false, data: { cpu: "RFC8482", os: "" } },
    ]);
  });

  describe("that deny", () => {
    const denied = (deny: object, query = encodeQuestion("A.b.Example.org", { edns: 1232 }), over = Over.Udp) => {
      lab.query(query);
      const message = { revision: 1, client: { subject: 1 }, scope: {}, deny };
      const length = lab.room.put(verdict.encode(verdict.fromObject(message)).finish());
      return decodeAnswer(written("writeDenial", length, over));
    };

    for (const [rcode, text] of [
      [0, "NOERROR"],
      [3, "NXDOMAIN"],
    ] as const)
      it(`have an SOA with the TTL of the denial (${text})`, () => {
        const got = denied({ rcode, ede_code: 15, ede_text: "by rule", ttl: 90, soa_labels: 2 });
        assert.deepEqual([got.rcode, got.answers, got.ede], [text, [], [{ code: 15, text: "by rule" }]]);
        const [authority] = got.authorities;
        assert.deepEqual([authority?.name.toLowerCase(), authority?.type, authority?.ttl], ["example.org", "SOA", 90]);
        assert.equal(JSON.parse(authority?.data ?? "{}").minimum, 90);
        assert.equal(lab.room.call("writtenTtl"), 90);
        for (const [soa_labels, owner] of [
          [0, "."],
          [4, "a.b.example.org"],
          [99, "a.b.example.org"],
        ] as const)
          assert.equal(denied({ rcode, soa_labels }).authorities[0]?.name.toLowerCase(), owner);
      });

    it("have the records of the type that was asked, else an SOA", () => {
      const records = [
        { type: 1, data: Buffer.of(192, 0, 2, 1) },
        { type: 28, data: Buffer.alloc(16, 0x20) },
        { type: 1, data: Buffer.of(192, 0, 2, 2) },
      ];
      const deny = { form: 3, records, ttl: 70, soa_labels: 3, ede_code: 4 };
      const of = (type: string) => denied(deny, encodeQuestion("A.b.Example.org", { type, edns: 1232 }));
      const lines = (got: Answer) => got.answers.map(({ name, type, ttl, data }) => `${name} ${type} ${ttl} ${data}`);
      const name = "A.b.Example.org";
      assert.deepEqual(lines(of("A")), [`${name} A 70 192.0.2.1`, `${name} A 70 192.0.2.2`]);
      assert.deepEqual(lines(of("AAAA")), [`${name} AAAA 70 2020:2020:2020:2020:2020:2020:2020:2020`]);
      const other = of("TXT");
      assert.deepEqual([other.rcode, other.answers, other.authorities[0]?.ttl], ["NOERROR", [], 70]);
      assert.deepEqual(other.ede[0]?.code, 4);
    });

    it("are truncated over UDP alone, where they are to be", () => {
      const deny = { rcode: 3, form: 2, ttl: 5, ede_code: 15, soa_labels: 1 };
      const got = denied(deny);
      assert.deepEqual(
        [got.rcode, got.authorities, got.flags & FLAGS.TC, got.ede[0]?.code],
        ["NOERROR", [], FLAGS.TC, 15],
      );
      assert.equal(lab.room.call("writtenTtl"), 0);
      const stream = denied(deny, undefined, Over.Tcp);
      assert.deepEqual([stream.rcode, stream.authorities.length, stream.flags & FLAGS.TC], ["NXDOMAIN", 1, 0]);
    });

    it("have none where they refuse", () => {
      const got = denied({ rcode: 5, ede_code: 18, ttl: 90 });
      assert.deepEqual([got.rcode, got.authorities, got.ede[0]?.code], ["REFUSED", [], 18]);
      assert.equal(lab.room.call("writtenTtl"), 0);
    });

    it("fit into 512 octets, whatever the name", () => {
      const longest = ["a", "b", "c"]
        .map((letter) => letter.repeat(63))
        .concat("d".repeat(61))
        .join(".");
      const got = denied(
        { rcode: 3, ede_text: "x".repeat(600), ttl: 9, soa_labels: 4 },
        encodeQuestion(longest, { edns: 512 }),
      );
      assert.equal(got.flags & FLAGS.TC, 0);
      assert.deepEqual([got.rcode, got.authorities.length, got.ede[0]?.text], ["NXDOMAIN", 1, ""]);
    });
  });
});
