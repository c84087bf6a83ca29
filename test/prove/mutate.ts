/**
 * Bytes that no well-behaved client sends: DNS messages and frames of HTTP/2, and mutations of them, by a seeded generator.
 */
import { encodeQuestion, FLAGS } from "../e2e/dns.ts";
import { SeededRandom } from "../host/clock.ts";
import { encodeField, encodeFrame, FrameType } from "../host/tunnel.ts";

const SEEDS: Buffer[] = [
  encodeQuestion("www.example.org", { id: 1 }),
  encodeQuestion("a.very.long.name.with.many.labels.in.it.example.org", {
    id: 2,
    type: "AAAA",
    edns: 1232,
    padding: 64,
  }),
  encodeQuestion("www.example.com", { id: 3, dnssecOk: true, edns: 4096 }),
  encodeQuestion(`${"x".repeat(63)}.${"y".repeat(63)}.${"z".repeat(63)}.${"w".repeat(57)}.org`, { id: 4 }),
  encodeQuestion("example.org", {
    id: 5,
    type: "TXT",
    options: [{ code: 8, data: Buffer.from([0, 1, 24, 0, 10, 0, 0]) }],
  }),
  encodeQuestion("_https._tcp.example.org", { id: 6, type: "SRV", flags: FLAGS.RD | FLAGS.CD | FLAGS.AD }),
];

/** Octets that mean something in DNS: lengths, pointers, counts. */
const TELLING = [0x00, 0x01, 0x3f, 0x40, 0x80, 0xbf, 0xc0, 0xff, 0x0c, 0x29];

export class Mutator {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  /** One message, of up to 600 octets. */
  next(): Buffer {
    const random = this.#random;
    if (random.below(20) === 0) return Buffer.from(random.bytes(random.below(600)));
    let message: Buffer = Buffer.from(random.pick(SEEDS));
    for (let times = 1 + random.below(6); times > 0; times--) message = this.#change(message);
    return message;
  }

  #change(message: Buffer): Buffer {
    const random = this.#random;
    const at = random.below(Math.max(1, message.length));
    switch (random.below(7)) {
      case 0:
        if (message.length > 0) message[at] = random.below(256);
        return message;
      case 1:
        if (message.length > 0) message[at] = random.pick(TELLING);
        return message;
      case 2:
        return message.subarray(0, at);
      case 3:
        return Buffer.concat([message, random.bytes(random.below(64))]);
      case 4:
        return Buffer.concat([message.subarray(0, at), random.bytes(1 + random.below(8)), message.subarray(at)]);
      case 5:
        // Counts of questions and records that are not there.
        if (message.length >= 12) message.writeUInt16BE(random.below(65536), 4 + 2 * random.below(4));
        return message;
      default:
        // A compression pointer, to anywhere.
        if (message.length >= at + 2) message.writeUInt16BE(0xc000 | random.below(message.length + 20), at);
        return message;
    }
  }
}

const END_STREAM = 1;
const END_HEADERS = 4;

/** Frames of HTTP/2 that ask by DNS over HTTPS, and mutations of them. */
export class FrameMutator {
  readonly #random: SeededRandom;
  readonly #messages: Mutator;
  #stream = 1;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#messages = new Mutator(seed);
  }

  /** How every connection begins: preface and SETTINGS. */
  greeting(): Buffer {
    this.#stream = 1;
    const settings = encodeFrame({ type: FrameType.Settings, flags: 0, stream: 0, payload: new Uint8Array() });
    return Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]);
  }

  next(): Buffer {
    const random = this.#random;
    const frames = Buffer.concat(random.below(2) === 0 ? this.#get() : this.#post());
    for (let times = random.below(4); times > 0; times--) frames[random.below(frames.length)] = random.below(256);
    return random.below(10) === 0 ? frames.subarray(0, random.below(frames.length)) : frames;
  }

  #get(): Uint8Array[] {
    const path = `/dns-query?dns=${this.#messages.next().toString("base64url")}`;
    return [
      this.#headers(
        [
          [":method", "GET"],
          [":path", path],
        ],
        END_HEADERS | END_STREAM,
      ),
    ];
  }

  #post(): Uint8Array[] {
    const fields = [
      [":method", "POST"],
      [":path", "/dns-query"],
      ["content-type", "application/dns-message"],
    ] as const;
    const headers = this.#headers(fields, END_HEADERS);
    const stream = this.#stream - 2;
    const payload = this.#messages.next();
    return [headers, encodeFrame({ type: FrameType.Data, flags: END_STREAM, stream, payload })];
  }

  #headers(fields: readonly (readonly [string, string])[], flags: number): Uint8Array {
    const block = [[":scheme", "https"] as const, ...fields].map(([name, value]) => encodeField(name, value));
    const stream = this.#stream;
    this.#stream += 2;
    return encodeFrame({ type: FrameType.Headers, flags, stream, payload: Buffer.concat(block) });
  }
}
