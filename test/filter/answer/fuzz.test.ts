/** Responses with mutations, by a fixed seed: never a trap, and whatever counts as an answer is a sound message. */
import { strict as assert } from "node:assert";
import { encodeQuestion } from "../../e2e/dns.ts";
import { SeededRandom } from "../../host/clock.ts";
import { u16, wireName } from "../wire/room.ts";
import { AnswerLab, ASKED, a, chain, encode, opt, Reading, raw, record, START, soa } from "./lab.ts";

const CASES = 20_000;
const TELLING = [0x00, 0x01, 0x3f, 0x40, 0xbf, 0xc0, 0xff, 0x0c, 0x10];

describe("responses with mutations", () => {
  let lab: AnswerLab;
  before(async function () {
    this.timeout(120_000);
    lab = await AnswerLab.open();
  });

  const sound = (): { type: string; message: Buffer }[] => [
    { type: "A", message: encode({ answers: [...chain(3), a("h3.example.net")], additionals: [opt([[15, u16(1)]])] }) },
    { type: "A", message: encode({ rcode: 3, answers: chain(1), authorities: [soa("example.net"), soa("org")] }) },
    {
      type: "MX",
      message: raw("MX", [record(ASKED, 15, Buffer.concat([u16(1), wireName("m.example"), ASKED]).subarray(0, 13))]),
    },
    { type: "SRV", message: raw("SRV", [record(ASKED, 33, Buffer.concat([u16(1, 2, 3), ASKED]))]) },
    {
      type: "NAPTR",
      message: raw("NAPTR", [record(ASKED, 35, Buffer.concat([u16(1, 2), Buffer.of(1, 65, 0, 0), ASKED]))]),
    },
    { type: "HTTPS", message: raw("HTTPS", [record(ASKED, 65, Buffer.concat([u16(1), ASKED, u16(3, 2, 443)]))]) },
    { type: "A", message: raw("A", [record(ASKED, 46, Buffer.alloc(24)), record(ASKED, 1, Buffer.alloc(4))]) },
  ];

  const mutate = (random: SeededRandom, message: Buffer): Buffer => {
    let out: Buffer = Buffer.from(message);
    for (let times = random.below(5); times > 0; times--) {
      // The question stays right for most.
      const from = random.below(10) === 0 ? 0 : 33;
      const at = Math.min(out.length, from + random.below(Math.max(1, out.length - from)));
      const kind = random.below(6);
      if (kind === 0) out[at] = random.below(256);
      else if (kind === 1) out[at] = random.pick(TELLING);
      else if (kind === 2 && at + 2 <= out.length) out.writeUInt16BE(0xc000 | random.below(out.length), at);
      else if (kind === 3) out = out.subarray(0, at);
      else if (kind === 4) out = Buffer.concat([out.subarray(0, at), random.bytes(random.below(6)), out.subarray(at)]);
      else if (out.length >= 12) out.writeUInt16BE(random.below(random.pick([4, 65_536])), 6 + 2 * random.below(3));
    }
    return out;
  };

  it("never trap, end in time and keep no memory", function () {
    this.timeout(30_000);
    const random = new SeededRandom(6);
    const seeds = sound();
    const seen = new Map<Reading, number>();
    const started = performance.now();
    let memory = 0;
    for (let times = 0; times < CASES; times++) {
      const { type, message } = random.pick(seeds);
      lab.ask("www.example.org", type, times % 2 === 0);
      const reading = lab.read(mutate(random, message));
      seen.set(reading, (seen.get(reading) ?? 0) + 1);
      if (reading === Reading.Answered) {
        lab.query(encodeQuestion("www.example.org", { edns: 1232, padding: 1 }));
        const answer = lab.answer({ transport: times % 5, now: START + 1_000_000n * BigInt(times % 400) });
        const { answers = [], authorities = [] } = counts(answer);
        assert.deepEqual([answers, authorities], [answer.readUInt16BE(6), answer.readUInt16BE(8)]);
        assert.ok(lab.targets.every((name) => name.length <= 253));
      }
      if (times === CASES / 4) memory = lab.room.memorySize;
    }
    assert.ok(performance.now() - started < 15_000);
    assert.equal(lab.room.memorySize, memory);
    for (const reading of [Reading.Answered, Reading.NotOurs, Reading.Unusable])
      assert.ok((seen.get(reading) ?? 0) > CASES / 100, `${Reading[reading]}: ${seen.get(reading)}`);
  });

  /** Records by walking over them: dns-packet refuses some data that is none of our business. */
  const counts = (message: Buffer): { answers?: number; authorities?: number } => {
    const found = [0, 0, 0];
    let at = skip(message, 12) + 4;
    for (let section = 0; section < 3; section++)
      for (let left = message.readUInt16BE(6 + 2 * section); left > 0; left--) {
        at = skip(message, at);
        at += 10 + message.readUInt16BE(at + 8);
        assert.ok(at <= message.length, "records end within the message");
        found[section] = (found[section] ?? 0) + 1;
      }
    assert.equal(at, message.length, "nothing is left behind the last record");
    return { answers: found[0] ?? 0, authorities: found[1] ?? 0 };
  };
  /** Where the name ends; pointers are left alone. */
  const skip = (message: Buffer, start: number): number => {
    let at = start;
    for (let size = message.readUInt8(at); size !== 0; size = message.readUInt8(at)) {
      if (size >= 192) return at + 2;
      at += size + 1;
    }
    return at + 1;
  };

  it("of nothing but aliases and pointers end in time", () => {
    lab.ask();
    // 4096 aliases, each from the question's name: every pass over them reads every owner.
    const alias = Buffer.concat([ASKED, u16(5, 1, 0, 1, 2), ASKED]);
    const head = encode({}).subarray(0, 33);
    const message = Buffer.concat([head, ...Array.from({ length: 4096 }, () => alias)]);
    message.writeUInt16BE(4096, 6);
    // Last to first, so that each pass finds one.
    const names = chain(16).toReversed();
    const slow = encode({ answers: [...Array.from({ length: 3000 }, () => a("x.org")), ...names] });
    const started = performance.now();
    for (let times = 0; times < 50; times++) {
      assert.equal(lab.read(message), Reading.Unusable);
      assert.equal(lab.read(slow), Reading.Answered);
    }
    assert.ok(performance.now() - started < 5000);
  });
});
