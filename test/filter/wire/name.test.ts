/** Names in wire format: reading them with suspicion, and the hashes of their suffixes. */
import { strict as assert } from "node:assert";
import packet from "dns-packet";
import { SeededRandom } from "../../host/clock.ts";
import { labelsName, nameText, Room, u16, wireName } from "./room.ts";

const HEADER = Buffer.alloc(12);
const pointer = (target: number) => u16(0xc000 | target);
const octets = (size: number, value = 0x61) => Buffer.alloc(size, value);

describe("names", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("wire/entry/wire.ts");
  });

  /** The name at an offset of the message; undefined where it is malformed. */
  const read = (message: Uint8Array, offset = 12): Buffer | undefined => {
    const length = room.call("name", room.put(message), offset);
    return length === 0 ? undefined : room.output(length);
  };

  it("are read with any octets in any case", () => {
    const name = labelsName(Buffer.from([0, 255, 0x2e, 0x41]), Buffer.from("Org"));
    assert.deepEqual(read(Buffer.concat([HEADER, name])), name);
    assert.equal(room.call("endOfName"), 12 + name.length);
    assert.deepEqual(read(Buffer.concat([HEADER, wireName("")])), Buffer.of(0));
  });

  it("have labels of 63 octets and 255 in all, and no more", () => {
    const longest = labelsName(octets(63), octets(63), octets(63), octets(61));
    assert.equal(longest.length, 255);
    assert.deepEqual(read(Buffer.concat([HEADER, longest])), longest);
    assert.equal(read(Buffer.concat([HEADER, labelsName(octets(63), octets(63), octets(63), octets(62))])), undefined);
    for (const size of [64, 65, 127, 128, 191])
      assert.equal(read(Buffer.concat([HEADER, Buffer.of(size), octets(size), Buffer.of(0)])), undefined, `${size}`);
    const most = labelsName(...Array.from({ length: 127 }, () => octets(1)));
    assert.deepEqual(read(Buffer.concat([HEADER, most])), most);
  });

  it("are as long as 255 octets by way of pointers, and no longer", () => {
    const tail = labelsName(octets(63), octets(63), octets(63));
    const message = (size: number) =>
      Buffer.concat([HEADER, tail, Buffer.of(size), octets(size), pointer(12), Buffer.of(1, 2)]);
    const at = 12 + tail.length;
    assert.equal(read(message(61), at)?.length, 255);
    assert.equal(room.call("endOfName"), at + 64, "after the pointer");
    assert.equal(read(message(62), at), undefined);
  });

  it("are malformed where they are cut short, at every octet", () => {
    const message = Buffer.concat([HEADER, wireName("example.org"), Buffer.of(3), Buffer.from("www"), pointer(12)]);
    const at = 12 + 13;
    assert.equal(nameText(read(message, at) ?? Buffer.of(0)), "www.example.org");
    for (let length = at; length < message.length; length++) {
      assert.equal(read(message.subarray(0, length), at), undefined, `cut at ${length}`);
      assert.equal(room.call("skip", room.put(message.subarray(0, length)), at), 0, `skipped, cut at ${length}`);
    }
    for (const offset of [message.length, message.length + 1, 65535]) assert.equal(read(message, offset), undefined);
  });

  it("have pointers that lead back only, and not into the header", () => {
    const self = Buffer.concat([HEADER, pointer(12)]);
    const onward = Buffer.concat([HEADER, pointer(14), wireName("org")]);
    const header = Buffer.concat([Buffer.alloc(12), pointer(4)]);
    const loop = Buffer.concat([HEADER, Buffer.of(1, 0x61), pointer(12), Buffer.of(0)]);
    // From 14 back to 12, which leads on to 14.
    const each = Buffer.concat([HEADER, pointer(14), pointer(12)]);
    for (const message of [self, onward, header, loop]) assert.equal(read(message), undefined);
    assert.equal(read(each, 14), undefined);
    // A pointer to labels that run on into the pointer again.
    assert.equal(read(loop, 14), undefined);
  });

  it("follow as many pointers as a name can have labels, in bounded time", () => {
    // Pairs of a label and a pointer to the pair before.
    const chain = (pairs: number) => {
      const parts: Uint8Array[] = [HEADER, Buffer.of(0)];
      for (let index = 0; index < pairs; index++)
        parts.push(Buffer.of(1, 0x61), pointer(index === 0 ? 12 : 13 + (index - 1) * 4));
      return Buffer.concat(parts);
    };
    const last = (pairs: number) => 13 + (pairs - 1) * 4;
    assert.equal(read(chain(126), last(126))?.length, 253);
    assert.equal(read(chain(127), last(127))?.length, 255);
    assert.equal(read(chain(128), last(128)), undefined);
    // Nothing but pointers, each to the one before.
    const bare = Buffer.concat([
      HEADER,
      Buffer.of(0),
      ...Array.from({ length: 8000 }, (_, at) => pointer(at ? 11 + at * 2 : 12)),
    ]);
    const started = performance.now();
    for (let times = 0; times < 1000; times++) assert.equal(read(bare, bare.length - 2), undefined);
    assert.ok(performance.now() - started < 2000);
  });

  it("are read as dns-packet reads them", () => {
    const random = new SeededRandom(1);
    for (let times = 0; times < 500; times++) {
      const labels = Array.from({ length: 1 + random.below(6) }, () => "abcXYZ09-_".slice(0, 1 + random.below(10)));
      const message = packet.encode({ type: "query", questions: [{ type: "A", name: labels.join(".") }] });
      assert.equal(nameText(read(message) ?? Buffer.of(0)), packet.decode(message).questions?.[0]?.name);
    }
  });

  it("are skipped to where reading them ends", () => {
    const message = Buffer.concat([HEADER, wireName("example.org"), Buffer.of(3), Buffer.from("www"), pointer(12)]);
    for (const at of [12, 25]) {
      read(message, at);
      assert.equal(room.call("skip", room.put(message), at), room.call("endOfName"));
    }
    // Pointers are not followed.
    assert.equal(room.call("skip", room.put(Buffer.concat([HEADER, pointer(12)])), 12), 14);
    for (const reserved of [0x40, 0x80, 0xbf])
      assert.equal(room.call("skip", room.put(Buffer.concat([HEADER, Buffer.of(reserved, 0)])), 12), 0);
  });

  it("are compared without regard to the case of ASCII letters only (RFC 4343)", () => {
    const same = (first: string, second: string) => {
      const bytes = Buffer.from(first + second, "latin1");
      room.put(bytes);
      return room.call("sameFold", 0, first.length, first.length) === 1;
    };
    assert.ok(same("wWw.Example-9", "WwW.eXAMPLE-9"));
    for (const [first, second] of [
      ["@", "`"],
      ["[", "{"],
      ["\xc0", "\xe0"],
      ["a", "b"],
    ] as const)
      assert.ok(!same(first, second), `${first} ${second}`);
  });

  it("hash labels by FNV-1a, as the service does", () => {
    // Test vectors of draft-eastlake-fnv: the empty text, "a", "foobar".
    for (const [text, hash] of [
      ["", 0x811c9dc5],
      ["a", 0xe40c292c],
      ["foobar", 0xbf9cf968],
    ] as const)
      assert.equal(room.call("labelHash", room.put(Buffer.from(text))) >>> 0, hash);
  });

  describe("as keys", () => {
    const key = (name: Uint8Array) => room.call("setKey", room.put(name));
    const suffix = (labels: number) => room.output(room.call("suffix", labels));

    it("give every suffix, in lower case", () => {
      assert.equal(key(wireName("Www.EXAMPLE.org")), 3);
      assert.deepEqual(
        [0, 1, 2, 3].map((labels) => nameText(suffix(labels))),
        ["", "org", "example.org", "www.example.org"],
      );
      assert.equal(key(wireName("")), 0);
      assert.deepEqual(suffix(0), Buffer.of(0));
      assert.equal(key(labelsName(...Array.from({ length: 127 }, () => octets(1)))), 127);
      assert.equal(suffix(127).length, 255);
      assert.equal(suffix(1).length, 3);
    });

    it("hash a suffix as the name that it is, in any case", () => {
      room.call("seed", 0x1234567890n);
      const random = new SeededRandom(2);
      for (let times = 0; times < 300; times++) {
        const labels = Array.from({ length: 1 + random.below(8) }, () =>
          Buffer.from(random.bytes(1 + random.below(20))),
        );
        key(labelsName(...labels));
        const hashes = labels.map((_, index) => room.big("suffixHash", index + 1));
        assert.equal(room.big("keyHash"), hashes.at(-1));
        for (let count = 1; count <= labels.length; count++) {
          const name = labelsName(...labels.slice(labels.length - count));
          const upper = Buffer.from(name.map((octet) => (octet >= 97 && octet <= 122 ? octet - 32 : octet)));
          key(upper);
          assert.equal(room.big("keyHash"), hashes[count - 1]);
        }
      }
    });

    it("hash different names differently, and by the seed", () => {
      room.call("seed", 1n);
      const seen = new Set<bigint>();
      const names = Array.from({ length: 5000 }, (_, index) => wireName(`n${index}.x${index % 7}.org`));
      // Labels of the same octets, parted otherwise.
      names.push(
        wireName("ab.c"),
        wireName("a.bc"),
        wireName("abc"),
        labelsName(octets(8, 0)),
        labelsName(octets(9, 0)),
      );
      for (const name of names) {
        key(name);
        seen.add(room.big("keyHash"));
      }
      assert.equal(seen.size, names.length);
      room.call("seed", 3n);
      key(names[0] ?? HEADER);
      assert.ok(!seen.has(room.big("keyHash")));
    });

    it("are equal to the lower-case name only", () => {
      key(wireName("Example.ORG"));
      const equals = (name: string) => room.call("keyEquals", room.put(wireName(name)));
      assert.deepEqual(["example.org", "example.orf", "example.or", "a.example.org"].map(equals), [1, 0, 0, 0]);
    });
  });
});
