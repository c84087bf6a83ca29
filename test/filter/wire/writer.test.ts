/** The message writer and its name compression, read by dns-packet. */
import { strict as assert } from "node:assert";
import packet from "dns-packet";
import { SeededRandom } from "../../host/clock.ts";
import { Room, u16, u32, wireName } from "./room.ts";

describe("message writer", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("wire/entry/wire.ts");
  });
  beforeEach(() => {
    room.call("clear");
  });

  const zeros = (size: number) => room.call("writeZeros", size);
  const octets = (bytes: Uint8Array) => room.call("writeOctets", room.put(bytes));
  const name = (text: string, compress = true) => room.call("writeName", room.put(wireName(text)), compress ? 1 : 0);
  const written = () => room.output(room.call("written"));
  const overflowed = () => room.call("overflowed") === 1;

  it("writes numbers in network order", () => {
    room.call("writeNumbers", 0x01, 0x0203, 0x04050607);
    assert.deepEqual(written(), Buffer.of(1, 2, 3, 4, 5, 6, 7));
  });

  it("points to the longest suffix that was written before", () => {
    zeros(12);
    name("www.example.org");
    name("mail.example.org");
    name("example.org");
    name("a.mail.example.org");
    name("org.example");
    name("");
    const expected = [Buffer.alloc(12), wireName("www.example.org"), Buffer.of(4), Buffer.from("mail"), u16(0xc010)];
    expected.push(u16(0xc010), Buffer.of(1), Buffer.from("a"), u16(0xc000 | 29), wireName("org.example"), Buffer.of(0));
    assert.deepEqual(written(), Buffer.concat(expected));
  });

  it("compresses whatever the case, and not by a part of a label", () => {
    zeros(12);
    name("Example.ORG");
    name("eXample.org");
    name("xample.org");
    const tail = Buffer.concat([u16(0xc00c), Buffer.of(6), Buffer.from("xample"), u16(0xc000 | 20)]);
    assert.deepEqual(written().subarray(25), tail);
  });

  it("writes a plain name in full, for others to point to", () => {
    zeros(12);
    name("a.example", false);
    name("a.example", false);
    name("b.a.example");
    const full = wireName("a.example");
    const expected = [Buffer.alloc(12), full, full, Buffer.of(1), Buffer.from("b"), u16(0xc00c)];
    assert.deepEqual(written(), Buffer.concat(expected));
  });

  it("never points further than 14 bits reach", () => {
    zeros(0x3ffb);
    // Its labels begin at 0x3ffb, 0x3fff and 0x4001.
    name("abc.d.ef");
    const start = written().length;
    name("abc.d.ef");
    name("d.ef");
    name("ef");
    assert.deepEqual(written().subarray(start), Buffer.concat([u16(0xfffb), u16(0xffff), wireName("ef")]));
  });

  it("goes on without compression when it remembers enough suffixes", () => {
    zeros(12);
    const names = Array.from({ length: 400 }, (_, index) => `n${index}`);
    for (const text of [...names, ...names]) name(text);
    const bytes = written();
    const sizes = names.reduce((sum, text) => sum + text.length + 2, 0);
    const again = names.slice(256).reduce((sum, text) => sum + text.length + 2, 256 * 2);
    assert.equal(bytes.length, 12 + sizes + again);
  });

  it("says when something did not fit, and leaves what was there whole", () => {
    zeros(65_530);
    assert.ok(!overflowed());
    octets(Buffer.from("12345"));
    assert.ok(!overflowed());
    octets(Buffer.of(6));
    assert.ok(overflowed());
    assert.equal(written().length, 65_535);
    room.call("clear");
    assert.ok(!overflowed());
    assert.equal(written().length, 0);
    octets(Buffer.alloc(65_536));
    assert.ok(overflowed());
    assert.equal(written().length, 0);
  });

  it("writes messages that dns-packet reads as its own", () => {
    const random = new SeededRandom(4);
    const pool = ["a", "b", "www", "Example", "org", "mail", "x".repeat(63)];
    const randomName = () => Array.from({ length: 1 + random.below(4) }, () => random.pick(pool)).join(".");
    for (let times = 0; times < 400; times++) {
      const question = randomName();
      const answers = Array.from({ length: random.below(12) }, (): packet.Answer => {
        const owner = random.below(3) === 0 ? question : randomName();
        const ttl = random.below(86_400);
        if (random.below(2) === 0) return { name: owner, type: "CNAME", ttl, data: randomName() };
        return { name: owner, type: "MX", ttl, data: { preference: random.below(65_536), exchange: randomName() } };
      });
      const theirs = packet.encode({ type: "response", id: 7, questions: [{ type: "A", name: question }], answers });
      room.call("clear");
      octets(theirs.subarray(0, 12));
      name(question);
      octets(u16(1, 1));
      for (const record of answers) {
        name(record.name);
        const before = write(record);
        // The data's length, known when it is written; the name in it may have been compressed.
        const bytes = written();
        lengths.push([before, bytes.length - before - 2]);
      }
      const ours = written();
      for (const [at, length] of lengths.splice(0)) ours.writeUInt16BE(length, at);
      assert.deepEqual(lower(packet.decode(ours)), lower(packet.decode(theirs)));
      assert.ok(ours.length <= theirs.length);
    }
  });

  const lengths: [at: number, length: number][] = [];
  /** Writes the record after its owner; where its data's length stands. */
  const write = (record: packet.Answer): number => {
    const isMx = record.type === "MX";
    octets(Buffer.concat([u16(isMx ? 15 : 5, 1), u32("ttl" in record ? (record.ttl ?? 0) : 0)]));
    const at = room.call("written");
    octets(u16(0));
    if (record.type === "MX") {
      octets(u16(record.data.preference ?? 0));
      name(record.data.exchange);
    } else if (record.type === "CNAME") name(record.data);
    return at;
  };
  // A compressed name has the case of the one that it points to.
  const lower = (message: packet.Packet) => JSON.parse(JSON.stringify(message).toLowerCase());
});
