/** What a client asks: the question and its EDNS wishes, and what is no query. */
import { strict as assert } from "node:assert";
import { encodeQuestion, FLAGS } from "../../e2e/dns.ts";
import { SeededRandom } from "../../host/clock.ts";
import { Mutator } from "../../prove/mutate.ts";
import { nameText, Room, u16, u32, wireName } from "./room.ts";

enum Parse {
  Query,
  Ignore,
  Malformed,
  BadVersion,
  OtherOpcode,
}
const FIELDS = ["id", "flags", "hasQuestion", "type", "class", "hasEdns", "udpSize", "dnssec", "hasPadding"];
FIELDS.push("hasKeepalive", "ecsLength", "checkingDisabled", "traced");

const option = (code: number, data: Uint8Array = new Uint8Array()) => Buffer.concat([u16(code, data.length), data]);
interface Opt {
  owner?: Uint8Array;
  size?: number;
  extended?: number;
  data?: Uint8Array;
}
const opt = ({ owner = Buffer.of(0), size = 1232, extended = 0, data = new Uint8Array() }: Opt = {}) =>
  Buffer.concat([owner, u16(41, size), u32(extended), u16(data.length), data]);
const record = (name: string, type: number, data: Uint8Array) =>
  Buffer.concat([wireName(name), u16(type, 1), u32(60), u16(data.length), data]);
interface Parts {
  flags?: number;
  counts?: [number, number, number, number];
  question?: Uint8Array;
  rest?: Uint8Array[];
}
const QUESTION = Buffer.concat([wireName("www.Example.org"), u16(1, 1)]);
const query = ({ flags = FLAGS.RD, counts = [1, 0, 0, 0], question = QUESTION, rest = [] }: Parts = {}) =>
  Buffer.concat([u16(4660, flags, ...counts), question, ...rest]);
const withOpt = (...records: Uint8Array[]) => query({ counts: [1, 0, 0, records.length], rest: records });

describe("questions", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("wire/entry/wire.ts");
  });

  const parse = (message: Uint8Array): Parse => room.call("parse", room.put(message));
  const fields = () => Object.fromEntries(FIELDS.map((name, index) => [name, room.call("field", index)]));
  const plain = { id: 4660, flags: FLAGS.RD, hasQuestion: 1, type: 1, class: 1, hasEdns: 0, udpSize: 512, dnssec: 0 };
  const nothing = { hasPadding: 0, hasKeepalive: 0, ecsLength: 0, checkingDisabled: 0, traced: 0 };

  it("are read, the name in the client's case", () => {
    assert.equal(parse(query()), Parse.Query);
    assert.deepEqual(fields(), { ...plain, ...nothing });
    assert.equal(nameText(room.output(room.call("questionName"))), "www.Example.org");
    assert.equal(parse(query({ flags: FLAGS.CD })), Parse.Query);
    assert.equal(fields().checkingDisabled, 1);
  });

  it("are read as dns-packet writes them", () => {
    const random = new SeededRandom(3);
    for (let times = 0; times < 300; times++) {
      const name = Array.from({ length: 1 + random.below(5) }, () => "label".slice(random.below(5))).join(".");
      const [type, number] = random.pick([["A", 1] as const, ["TXT", 16] as const, ["SRV", 33] as const]);
      const id = random.below(65536);
      const dnssecOk = random.below(2) === 1;
      const edns = random.below(65536);
      const padding = random.below(100);
      const message = encodeQuestion(name, { id, type, edns, dnssecOk, padding });
      assert.equal(parse(message), Parse.Query);
      const got = fields();
      assert.deepEqual(
        [got.id, got.type, got.hasEdns, got.udpSize, got.dnssec, got.hasPadding],
        [id, number, 1, Math.max(512, edns), Number(dnssecOk), 1],
      );
      assert.equal(nameText(room.output(room.call("questionName"))), name);
    }
  });

  it("say which trace they are part of, and what is not as it should be says nothing", () => {
    const [id, parent] = [Buffer.alloc(16, 0xab), Buffer.alloc(8, 0xcd)];
    const traced = (data: Buffer) => {
      assert.equal(parse(withOpt(opt({ data: option(65_500, data) }))), Parse.Query);
      return fields().traced === 1 ? room.output(room.call("trace")).toString("hex") : undefined;
    };
    const whole = Buffer.concat([Buffer.alloc(2), id, parent, Buffer.of(1)]);
    assert.equal(traced(whole), `${"ab".repeat(16)}${"cd".repeat(8)}01`);
    // As older servers write it.
    assert.equal(traced(whole.subarray(0, 26)), `${"ab".repeat(16)}${"cd".repeat(8)}00`);
    assert.equal(traced(whole.subarray(0, 18)), `${"ab".repeat(16)}${"00".repeat(9)}`);
    for (let length = 0; length < 40; length++) {
      if ([18, 26, 27].includes(length)) continue;
      assert.equal(traced(Buffer.concat([whole, Buffer.alloc(20)]).subarray(0, length)), undefined, `${length} octets`);
    }
    assert.equal(traced(Buffer.concat([Buffer.of(1), whole.subarray(1)])), undefined, "another version");
    assert.equal(traced(Buffer.alloc(27)), undefined, "no trace");
    assert.equal(traced(whole), `${"ab".repeat(16)}${"cd".repeat(8)}01`);
    assert.equal(parse(query()), Parse.Query);
    assert.equal(fields().traced, 0, "nothing is left of the question before");
  });

  it("get no answer where they are none for a server", () => {
    for (let length = 0; length < 12; length++) assert.equal(parse(query().subarray(0, length)), Parse.Ignore);
    assert.equal(parse(query({ flags: 0x8000 })), Parse.Ignore);
    assert.equal(parse(query({ flags: 0x8000 | 0x2800 })), Parse.Ignore);
  });

  it("of another opcode are told apart, whatever follows", () => {
    for (const opcode of [1, 2, 4, 5, 6, 15])
      assert.equal(
        parse(query({ flags: opcode << 11, counts: [0, 9, 9, 9], question: Buffer.of() })),
        Parse.OtherOpcode,
      );
    assert.equal(fields().id, 4660);
    assert.equal(fields().hasQuestion, 0);
  });

  it("are malformed without exactly one question", () => {
    assert.equal(parse(query({ counts: [0, 0, 0, 0], question: Buffer.of() })), Parse.Malformed);
    assert.equal(fields().hasQuestion, 0);
    const two = Buffer.concat([QUESTION, QUESTION]);
    assert.equal(parse(query({ counts: [2, 0, 0, 0], question: two })), Parse.Malformed);
    for (let length = 12; length < query().length; length++)
      assert.equal(parse(query().subarray(0, length)), Parse.Malformed, `cut at ${length}`);
  });

  it("are malformed with octets after them", () => {
    assert.equal(parse(query({ rest: [Buffer.of(0)] })), Parse.Malformed);
    assert.equal(fields().hasQuestion, 1, "the question is readable all the same");
    assert.equal(parse(Buffer.concat([withOpt(opt()), Buffer.of(0)])), Parse.Malformed);
  });

  it("carry no answer and no authority, but for IXFR (RFC 1995)", () => {
    const soa = record("example.org", 6, Buffer.concat([wireName(""), wireName(""), Buffer.alloc(20)]));
    assert.equal(parse(query({ counts: [1, 1, 0, 0], rest: [soa] })), Parse.Malformed);
    assert.equal(parse(query({ counts: [1, 0, 1, 0], rest: [soa] })), Parse.Malformed);
    const question = Buffer.concat([wireName("example.org"), u16(251, 1)]);
    assert.equal(parse(query({ counts: [1, 0, 1, 0], question, rest: [soa] })), Parse.Query);
    assert.equal(fields().type, 251);
  });

  it("have the wishes of their OPT record", () => {
    const data = Buffer.concat([option(12, Buffer.alloc(9)), option(11), option(65001, Buffer.of(1))]);
    assert.equal(parse(withOpt(opt({ size: 4096, extended: 0x8000, data }))), Parse.Query);
    assert.deepEqual(fields(), {
      ...plain,
      ...{ hasEdns: 1, udpSize: 4096, dnssec: 1 },
      ...{ ...nothing, hasPadding: 1, hasKeepalive: 1 },
    });
    assert.equal(parse(withOpt(opt({ size: 0 }))), Parse.Query);
    assert.equal(fields().udpSize, 512, "less than 512 is 512 (RFC 6891, section 6.2.3)");
    assert.equal(parse(query()), Parse.Query);
    assert.deepEqual(fields(), { ...plain, ...nothing }, "nothing is left of the question before");
  });

  it("have their OPT record anywhere in the additional section", () => {
    const other = record("x.org", 1, Buffer.of(1, 2, 3, 4));
    assert.equal(parse(withOpt(other, opt({ extended: 0x8000 }), other)), Parse.Query);
    assert.equal(fields().dnssec, 1);
    assert.equal(parse(withOpt(other)), Parse.Query);
    assert.equal(fields().hasEdns, 0);
  });

  it("are malformed with two OPT records, or one that the root does not own (RFC 6891, section 6.1.1)", () => {
    assert.equal(parse(withOpt(opt(), opt())), Parse.Malformed);
    assert.equal(parse(withOpt(opt({ owner: wireName("x") }))), Parse.Malformed);
    assert.equal(parse(withOpt(opt({ owner: u16(0xc00c) }))), Parse.Malformed);
  });

  it("are malformed where a record or an option is cut short, at every octet", () => {
    const message = withOpt(opt({ data: Buffer.concat([option(12, Buffer.alloc(3)), option(11)]) }));
    for (let length = message.length - 1; length > query().length; length--)
      assert.equal(parse(message.subarray(0, length)), Parse.Malformed, `cut at ${length}`);
    assert.equal(parse(query({ counts: [1, 0, 0, 1] })), Parse.Malformed, "a record is announced and not there");
    for (const data of [Buffer.of(0), u16(12), Buffer.concat([u16(12, 2), Buffer.of(0)])])
      assert.equal(parse(withOpt(opt({ data }))), Parse.Malformed);
  });

  it("of another EDNS version are told apart (RFC 6891, section 6.1.3)", () => {
    assert.equal(parse(withOpt(opt({ extended: 1 << 16 }))), Parse.BadVersion);
    assert.equal(fields().hasEdns, 1);
    assert.equal(parse(withOpt(opt({ extended: 255 << 16 }), opt())), Parse.Malformed);
  });

  it("bring the client's subnet along as it is (RFC 7871)", () => {
    const subnet = Buffer.of(0, 1, 24, 0, 10, 1, 2);
    assert.equal(parse(withOpt(opt({ data: option(8, subnet) }))), Parse.Query);
    assert.equal(fields().ecsLength, 7);
    room.call("ecs");
    assert.deepEqual(room.output(7), subnet);
    assert.equal(parse(withOpt(opt({ data: option(8, Buffer.alloc(20)) }))), Parse.Query);
    for (const size of [0, 3, 21, 300])
      assert.equal(parse(withOpt(opt({ data: option(8, Buffer.alloc(size)) }))), Parse.Malformed, `${size} octets`);
  });

  it("never trap and end in time, whatever the octets", () => {
    const mutator = new Mutator(11);
    const seen = new Map<Parse, number>();
    const started = performance.now();
    for (let times = 0; times < 20_000; times++) {
      const message = mutator.next();
      const result = parse(message);
      seen.set(result, (seen.get(result) ?? 0) + 1);
      const { hasQuestion, ecsLength = 0, udpSize = 0 } = fields();
      assert.ok(result in Parse && ecsLength <= 20 && udpSize >= 512 && udpSize <= 65535);
      if (result === Parse.Query) assert.equal(hasQuestion, 1);
      if (hasQuestion) assert.ok(room.call("questionName") <= 255);
    }
    assert.equal(seen.size, 5, "all kinds of results came");
    assert.ok(performance.now() - started < 10_000);
  });
});
