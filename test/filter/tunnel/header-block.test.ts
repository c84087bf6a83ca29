/** Header blocks: vectors of RFC 7541, appendix C, and Huffman text against Node's own encoder. */
import { strict as assert } from "node:assert";
import { encodeField, Lab, randomOf } from "./wire.ts";

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

describe("header blocks of the tunnel", () => {
  let lab: Lab;
  before(async function () {
    this.timeout(120_000);
    lab = await Lab.open();
  });

  const header = (block: Uint8Array): string | undefined => {
    const length = lab.call("header", lab.put(block));
    return length < 0 ? undefined : lab.output(length).toString("latin1");
  };
  const huffman = (text: Uint8Array, capacity = 4096): string | number => {
    const length = lab.call("huffman", lab.put(text), capacity);
    return length < 0 ? length : lab.output(length).toString("latin1");
  };

  it("decodes the Huffman strings of RFC 7541, appendix C.4 and C.6", () => {
    const vectors: [string, string][] = [
      ["f1e3 c2e5 f23a 6ba0 ab90 f4ff", "www.example.com"],
      ["a8eb 1064 9cbf", "no-cache"],
      ["25a8 49e9 5ba9 7d7f", "custom-key"],
      ["25a8 49e9 5bb8 e8b4 bf", "custom-value"],
      ["6402", "302"],
      ["aec3 771a 4b", "private"],
      ["d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
      ["9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3", "https://www.example.com"],
      ["640e ff", "307"],
      ["9bd9 ab", "gzip"],
      [
        "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
      ],
    ];
    for (const [encoded, text] of vectors) assert.equal(huffman(bytes(encoded)), text);
  });

  it("refuses Huffman strings that section 5.2 does not allow, and longer ones than fit", () => {
    assert.equal(huffman(bytes("ffff ffff")), -1, "EOS in the text");
    assert.equal(huffman(bytes("1f ff")), -1, "padding of more than seven bits");
    assert.equal(huffman(bytes("18")), -1, "padding that is not all ones");
    assert.equal(huffman(bytes("ffff ff")), -1, "a code cut off");
    assert.equal(huffman(bytes("f1e3 c2e5 f23a 6ba0 ab90 f4ff"), 14), -2);
    assert.equal(huffman(Buffer.alloc(0)), "");
  });

  it("accepts literals, static indices and size updates of appendix C, and no dynamic index", () => {
    const sound = [
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", // C.2.1
      "040c 2f73 616d 706c 652f 7061 7468", // C.2.2
      "1008 7061 7373 776f 7264 0673 6563 7265 74", // C.2.3
      "82", // C.2.4
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", // C.3.1
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", // C.4.1
      "20 82", // size 0 at the beginning
      "20 3f e1 1f 82", // size 0, then 4096
    ];
    for (const block of sound) assert.equal(header(bytes(block)), "", block);
    const broken = [
      "8286 84be 5808 6e6f 2d63 6163 6865", // C.3.2 refers to the dynamic table
      "be",
      "80", // index 0
      "7e 00", // a dynamic name
      "82 20", // a size update after a field
      "3f e2 1f", // 4097
      "ff ff ff ff ff ff 0f", // an integer without end
      "00", // no name
      "00 05 61", // a name cut off
      "00 01 61", // no value
      "00 01 61 7f 80", // a length cut off
      "00 85 ff ff ff ff ff 00", // EOS in a name
    ];
    for (const block of broken) assert.equal(header(bytes(block)), undefined, block);
  });

  it("finds the one client address, and nobody's where there are none or two", () => {
    const source = encodeField("x-src", "192.0.2.1:53");
    assert.equal(header(source), "192.0.2.1:53");
    assert.equal(header(Buffer.concat([encodeField("x-sr", "a"), source, encodeField("x-srcs", "b")])), "192.0.2.1:53");
    assert.equal(header(Buffer.concat([source, encodeField("x-src", "192.0.2.2:53")])), "");
    assert.equal(header(encodeField("a".repeat(300), "192.0.2.1:53")), "");
  });

  it("never traps on mutated blocks", () => {
    const random = randomOf(7541);
    const sound = Buffer.concat([
      bytes("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"),
      encodeField("x-src", "1.2.3.4:5"),
    ]);
    for (let times = 0; times < 20_000; times++) {
      const block = Buffer.from(sound.subarray(0, 1 + random(sound.length)));
      for (let changes = random(4); changes >= 0; changes--) block[random(block.length)] = random(256);
      header(block);
      huffman(block, random(64));
    }
  });
});

describe("client addresses", () => {
  let lab: Lab;
  before(async function () {
    this.timeout(120_000);
    lab = await Lab.open();
  });

  /** `4:` or `6:` and 32 hexadecimal digits. */
  const address = (text: string): string | undefined => {
    const family = lab.call("address", lab.put(Buffer.from(text)));
    if (family === 0) return undefined;
    const part = (name: string) =>
      BigInt.asUintN(64, BigInt(lab.call(name)))
        .toString(16)
        .padStart(16, "0");
    return `${family}:${part("addressHigh")}${part("addressLow")}`;
  };

  it("are what Envoy writes", () => {
    const v4 = "4:00000000000000000000ffff";
    assert.equal(address("192.0.2.1:53"), `${v4}c0000201`);
    assert.equal(address("255.255.255.255:65535"), `${v4}ffffffff`);
    assert.equal(address("[::1]:567"), `6:${"0".repeat(31)}1`);
    assert.equal(address("[::]:1"), `6:${"0".repeat(32)}`);
    assert.equal(address("[2001:db8::1]:53"), "6:20010db8000000000000000000000001");
    assert.equal(address("[1:2:3:4:5:6:7:8]:53"), "6:00010002000300040005000600070008");
    assert.equal(address("[1:2:3:4:5:6:7::]:53"), "6:00010002000300040005000600070000");
    assert.equal(address("[1:2:3:4::]:53"), "6:00010002000300040000000000000000");
    assert.equal(address("[::5:6:7:8]:53"), "6:00000000000000000005000600070008");
    assert.equal(address("[::4:5:6:7:8]:53"), "6:00000000000000040005000600070008");
    assert.equal(address("[1:2:3:4:5::8]:53"), "6:00010002000300040005000000000008");
    assert.equal(address("[1::4:5:6:7:8]:53"), "6:00010000000000040005000600070008");
    assert.equal(address("[fe80::1%2]:53"), "6:fe800000000000000000000000000001");
    assert.equal(address("[::ffff:192.0.2.1]:53"), `${v4}c0000201`, "an IPv4 client of an IPv6 socket");
    assert.equal(address("[64:ff9b::192.0.2.1]:53"), "6:0064ff9b0000000000000000c0000201");
  });

  it("are refused where they are none", () => {
    const wrong = [
      "a".repeat(300),
      "",
      "1",
      "1.2.3",
      "1.2.3.256:1",
      "1.2.3.4.5:1",
      "a.b.c.d:1",
      "[::1",
      "[1::2::3]:1",
      "[12345::]:1",
    ];
    wrong.push("[1:2:3:4:5:6:7]:1", "[1:2:3:4:5:6:7:8:9]:1", "[g::]:1", "[:1]:1", "[1:]:1", "[]:1", "[::1.2.3]:1");
    wrong.push("[1:2:3:4:5:6:7::8]:1", "[1:2:3:4:5:6:7:1.2.3.4]:1", "@internal", "/run/socket");
    for (const text of wrong) assert.equal(address(text), undefined, text);
  });

  it("are the same as Node's, for random ones", () => {
    const random = randomOf(4291);
    for (let times = 0; times < 5000; times++) {
      const groups = Array.from({ length: 8 }, () => (random(3) === 0 ? random(65536) : 0));
      const text = new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]/`).hostname;
      const expected = groups.map((group) => group.toString(16).padStart(4, "0")).join("");
      if (expected.startsWith(`${"0".repeat(20)}ffff`)) continue;
      assert.equal(address(`${text}:53`), `6:${expected}`, text);
    }
  });
});
