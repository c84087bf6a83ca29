/** The Protocol Buffers reader and writer against protobufjs, by the messages of `protos/`. */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { SeededRandom } from "../../host/clock.ts";
import { Room } from "./room.ts";

const root = new protobuf.Root().loadSync(fileURLToPath(new URL("../../../protos/sync.proto", import.meta.url)), {
  keepCase: true,
});
const type = (name: string) => root.lookupType(`dns.mesh.v1.${name}`);
const encode = (name: string, message: object) =>
  Buffer.from(type(name).encode(type(name).fromObject(message)).finish());
const decode = (name: string, bytes: Uint8Array) =>
  type(name).toObject(type(name).decode(bytes), { longs: String, enums: Number, bytes: Buffer });

interface Field {
  field: number;
  wireType: number;
  value: bigint;
  octets?: Buffer;
}
const BROKEN = -1;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;

describe("protocol buffers", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("wire/entry/protobuf.ts");
  });

  const read = (bytes: Uint8Array, skipping = false): Field[] | undefined => {
    const count = room.call("fields", 0, room.put(bytes), skipping ? 1 : 0);
    if (count === BROKEN) return undefined;
    const found = room.output(count * 24);
    return Array.from({ length: count }, (_, index) => {
      const at = index * 24;
      const field = { field: found.readUInt32LE(at), wireType: found.readUInt32LE(at + 4) };
      const value = found.readBigUInt64LE(at + 8);
      if (field.wireType !== 2) return { ...field, value };
      const octets = Buffer.from(bytes.subarray(Number(value), Number(value + found.readBigUInt64LE(at + 16))));
      return { ...field, value: 0n, octets };
    });
  };
  /** The same by protobufjs. */
  const reference = (bytes: Uint8Array): Field[] => {
    const reader = protobuf.Reader.create(bytes);
    const fields: Field[] = [];
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const field = { field: tag >>> 3, wireType: tag & 7 };
      if (field.wireType === 2) fields.push({ ...field, value: 0n, octets: Buffer.from(reader.bytes()) });
      else if (field.wireType === 0) fields.push({ ...field, value: BigInt(reader.uint64().toString()) });
      else if (field.wireType === 1) fields.push({ ...field, value: BigInt(reader.fixed64().toString()) });
      else throw new Error(`wire type ${field.wireType}`);
    }
    return fields;
  };
  const random = new SeededRandom(5);
  const number = () => random.below(2 ** random.below(32));
  const long = () => `${(BigInt(number()) << BigInt(random.below(32))) | BigInt(number())}`;
  const text = () => "text, ünïcode ".slice(random.below(14)).repeat(random.below(12));
  const event = () => ({
    ...{ time_us: long(), tenant: text(), client: random.bytes(random.below(17)), transport: random.below(5) },
    ...{ qname: random.bytes(random.below(255)), qtype: number(), outcome: random.below(4), policy: text() },
    ...{ rule: text(), rcode: number(), ede: number(), latency_us: number(), cache: 1, revision: long() },
  });
  const report = () => ({
    number: long(),
    events: Array.from({ length: random.below(4) }, event),
    latencies: [{ tenant: text(), buckets: Array.from({ length: random.below(17) }, long), sum_us: long() }],
    dropped_events: long(),
  });

  it("are read as protobufjs reads them", () => {
    for (let times = 0; times < 500; times++) {
      const bytes = encode(
        "WorkerMessage",
        times % 2
          ? { report: report() }
          : { hello: { node: text(), process: long(), worker: long(), concurrency: number() } },
      );
      const [outer] = read(bytes) ?? [];
      assert.ok(outer?.octets);
      assert.deepEqual(read(outer.octets), reference(outer.octets));
    }
  });

  it("are read where every field is skipped", () => {
    for (let times = 0; times < 50; times++) {
      const bytes = encode("Report", report());
      assert.equal(read(bytes, true)?.length, reference(bytes).length);
    }
    // Fixed 32 bits, which only skipping knows.
    const fixed = Buffer.of(0x0d, 1, 2, 3, 4, 0x10, 5);
    assert.deepEqual(
      read(fixed)?.map(({ field }) => field),
      [1, 2],
    );
    assert.equal(read(fixed.subarray(0, 4)), undefined);
  });

  it("have numbers of up to 64 bits in at most ten octets", () => {
    const ones = (count: number, last: number) =>
      Buffer.concat([Buffer.of(8), Buffer.alloc(count, 0xff), Buffer.of(last)]);
    assert.equal(read(ones(9, 1))?.[0]?.value, MAX_U64);
    assert.equal(read(ones(10, 0)), undefined);
    assert.equal(read(Buffer.concat([Buffer.of(8), Buffer.alloc(9, 0x80), Buffer.of(0)]))?.[0]?.value, 0n);
    assert.equal(read(Buffer.of(8)), undefined);
    assert.equal(read(Buffer.of(8, 0x80)), undefined);
  });

  it("are broken by field number 0, a key above 32 bits, groups and unknown wire types", () => {
    for (const key of [0x00, 0x02, 0x0b, 0x0c, 0x0e, 0x0f]) assert.equal(read(Buffer.of(key, 0, 0, 0, 0)), undefined);
    assert.equal(read(Buffer.of(0x88, 0x80, 0x80, 0x80, 0x80, 0x01, 0)), undefined);
  });

  it("are broken where octets are announced that are not there", () => {
    assert.equal(read(Buffer.of(0x0a, 3, 1, 2)), undefined);
    assert.equal(read(Buffer.of(0x0a, 3, 1, 2), true), undefined);
    // Lengths of 2^32, 2^32 + 1 and 2^63.
    for (const length of [
      [0x80, 0x80, 0x80, 0x80, 0x10],
      [0x81, 0x80, 0x80, 0x80, 0x10],
      [...Buffer.alloc(9, 0x80), 1],
    ])
      for (const skipping of [false, true])
        assert.equal(read(Buffer.from([0x0a, ...length, 7, 7, 7]), skipping), undefined);
    assert.equal(read(Buffer.of(0x09, 1, 2, 3, 4, 5, 6, 7)), undefined);
    assert.equal(read(Buffer.of(0x09, 1, 2, 3, 4, 5, 6, 7), true), undefined);
  });

  it("are broken at every octet that cuts a field short", () => {
    const bytes = encode("Hello", { node: "envoy", process: "18446744073709551615", worker: "1", concurrency: 300 });
    const ends = new Set([7, 16, 25, bytes.length]);
    for (let length = 1; length <= bytes.length; length++)
      assert.equal(read(bytes.subarray(0, length)) !== undefined, ends.has(length), `cut at ${length}`);
  });

  it("never trap and end in time, whatever the octets", () => {
    const started = performance.now();
    for (let times = 0; times < 20_000; times++) {
      let bytes = times % 10 === 0 ? encode("Report", report()) : Buffer.from(random.bytes(random.below(60)));
      if (times % 20 === 0) bytes[random.below(bytes.length)] = random.below(256);
      if (times % 3 === 0) bytes = bytes.subarray(0, random.below(bytes.length + 1));
      read(bytes, times % 2 === 0);
    }
    assert.ok(performance.now() - started < 10_000);
  });

  describe("writer", () => {
    beforeEach(() => {
      room.call("capacity", 65_536);
    });
    const written = () => room.output(room.call("written"));
    const bytes = (field: number, octets: Uint8Array) => room.call("bytes", field, room.put(octets));

    it("writes what protobufjs reads, and as it writes it", () => {
      for (let times = 0; times < 200; times++) {
        const hello = { node: text(), process: long(), worker: long(), concurrency: number(), token: text() };
        room.call("clear");
        bytes(1, Buffer.from(hello.node));
        room.call("fixed64", 2, BigInt(hello.process));
        room.call("fixed64", 3, BigInt(hello.worker));
        room.call("number", 4, BigInt(hello.concurrency));
        bytes(5, Buffer.from(hello.token));
        const expected = decode("Hello", encode("Hello", hello));
        // Zero is written in a fixed field, which says the same.
        const got = decode("Hello", written());
        for (const field of ["node", "concurrency", "token"]) assert.deepEqual(got[field], expected[field]);
        assert.deepEqual([got.process ?? "0", got.worker ?? "0"], [hello.process, hello.worker]);
      }
    });

    it("writes messages in messages", () => {
      for (const size of [0, 1, 100, 127, 128, 16_000]) {
        room.call("clear");
        const start = room.call("begin", 1);
        bytes(2, Buffer.alloc(size, 0x61));
        room.call("number", 1, MAX_U64);
        room.call("end", start);
        const events = [{ ...(size > 0 && { tenant: "a".repeat(size) }), time_us: `${MAX_U64}` }];
        assert.deepEqual(decode("EventBatch", written()), { events });
      }
    });

    it("writes nothing that does not fit, and says so until it is taken back", () => {
      room.call("capacity", 37);
      bytes(1, Buffer.alloc(20, 0x61));
      assert.equal(room.call("isFull"), 0);
      const before = written();
      bytes(1, Buffer.alloc(20, 0x62));
      assert.equal(room.call("isFull"), 1);
      assert.deepEqual(written(), before);
      room.call("rewind", before.length);
      assert.equal(room.call("isFull"), 0);
      room.call("number", 2, MAX_U64);
      assert.equal(written().length, before.length + 11);
      for (const call of [() => room.call("fixed64", 3, 1n), () => room.call("number", 3, 1n)]) {
        call();
        assert.equal(room.call("isFull"), 1);
        assert.equal(written().length, before.length + 11);
      }
      assert.equal(room.call("begin", 1), 0);
      room.call("end", 0);
      assert.equal(written().length, before.length + 11);
      room.call("clear");
      assert.equal(written().length, 0);
    });

    it("leaves zero and no octets out (proto3)", () => {
      room.call("clear");
      room.call("number", 1, 0n);
      bytes(2, Buffer.of());
      assert.equal(written().length, 0);
    });
  });
});
