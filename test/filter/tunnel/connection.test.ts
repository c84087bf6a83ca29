/** The tunnel's HTTP/2: against Node's own client, frame by frame, and against octets that are none. */
import { strict as assert } from "node:assert";
import http2 from "node:http2";
import {
  ACK,
  datagram,
  decodeFrames,
  END_HEADERS,
  END_STREAM,
  encodeCapsule,
  type Frame,
  FrameType,
  fields,
  frame,
  Lab,
  Mode,
  PADDED,
  PREFACE,
  PRIORITY,
  randomOf,
  request,
  setting,
  settings,
  u32,
} from "./wire.ts";

const error = (frames: Frame[]): number | undefined => {
  const goAway = frames.find(({ type }) => type === FrameType.GoAway);
  return goAway && Buffer.from(goAway.payload).readUInt32BE(4);
};
const resets = (frames: Frame[]) => frames.filter(({ type }) => type === FrameType.RstStream);
const answers = (frames: Frame[]) =>
  frames.filter(({ type, payload }) => type === FrameType.Data && payload.length > 0);
const texts = (frames: Frame[]) => answers(frames).map(({ payload }) => Buffer.from(payload.slice(4)).toString());

describe("tunnel connection", () => {
  let lab: Lab;
  beforeEach(async function () {
    this.timeout(120_000);
    lab = await Lab.open();
  });

  for (const chunk of [1, 2, 7, 1 << 20]) {
    it(`serves Node's HTTP/2 client, its octets in pieces of ${chunk}`, async () => {
      const client = http2.connect("http://dns", {
        createConnection: () => lab.duplex(chunk),
        // As on the tunnel's cluster: the first requests go out before our SETTINGS are read.
        maxDeflateDynamicTableSize: 0,
      } as http2.ClientSessionOptions);
      const ask = (source: string, query: Buffer) =>
        new Promise<{ status: unknown; body: Buffer }>((resolve, reject) => {
          const stream = client.request({ ":method": "POST", ":path": "/dns", "x-src": source, cookie: "a=b; c=~|<>" });
          const body: Buffer[] = [];
          let status: unknown;
          stream.on("response", (headers) => {
            status = headers[":status"];
          });
          stream.on("data", (bytes: Buffer) => body.push(bytes));
          stream.on("end", () => resolve({ status, body: Buffer.concat(body) }));
          stream.on("error", reject);
          stream.end(encodeCapsule(query));
        });
      const random = randomOf(chunk);
      const queries = Array.from({ length: 20 }, () =>
        Buffer.from(Array.from({ length: random(600) }, () => random(256))),
      );
      const all = await Promise.all(queries.map((query, index) => ask(`192.0.2.1:${1000 + index}`, query)));
      for (const [index, { status, body }] of all.entries()) {
        assert.equal(status, 200);
        assert.deepEqual(body.subarray(4), queries[index]);
      }
      await new Promise<void>((resolve, reject) => client.ping((failed) => (failed ? reject(failed) : resolve())));
      assert.equal(lab.call("low"), lab.call("low"));
      assert.equal(lab.counters.opened, 20);
      assert.equal(lab.counters.ended, 20);
      assert.equal(lab.counters.errors, 0);
      client.destroy();
    });
  }

  it("decodes Node's Huffman-encoded addresses as they are", async () => {
    const client = http2.connect("http://dns", {
      createConnection: () => lab.duplex(5),
      maxDeflateDynamicTableSize: 0,
    } as http2.ClientSessionOptions);
    const random = randomOf(9);
    for (let times = 0; times < 50; times++) {
      const groups = Array.from({ length: 8 }, () => 1 + random(65535));
      const source = `[${groups.map((group) => group.toString(16)).join(":")}]:${random(65536)}`;
      await new Promise<void>((resolve) => {
        const stream = client.request({ ":method": "POST", ":path": "/dns", "x-src": source });
        stream.on("end", resolve).resume();
        stream.end(encodeCapsule(Buffer.from("query")));
      });
      const number = (groups: number[]) => groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
      assert.equal(BigInt.asUintN(64, BigInt(lab.call("high"))), number(groups.slice(0, 4)), source);
      assert.equal(BigInt.asUintN(64, BigInt(lab.call("low"))), number(groups.slice(4)), source);
    }
    client.destroy();
  });

  it("greets with a table of no size and windows as large as can be", () => {
    lab.send(PREFACE);
    const [first, second] = lab.frames();
    assert.equal(first?.type, FrameType.Settings);
    const expected = [setting(1, 0), setting(3, 0x7fffffff), setting(4, 0x7fffffff)];
    assert.deepEqual(Buffer.from(first.payload), Buffer.concat(expected));
    assert.deepEqual([second?.type, second?.stream], [FrameType.WindowUpdate, 0]);
    assert.deepEqual(Buffer.from(second?.payload ?? []), u32(0x7fffffff - 65535));
  });

  it("answers a request at once by 200, after a table size update (RFC 7541, section 4.2)", () => {
    const [response] = lab.greeted(request(1));
    assert.deepEqual([response?.type, response?.flags, response?.stream], [FrameType.Headers, END_HEADERS, 1]);
    assert.deepEqual([...(response?.payload ?? [])], [0x20, 0x88]);
  });

  it("gives the same answers whatever the pieces", () => {
    const input = Buffer.concat([
      ...[PREFACE, settings(), request(1), request(3, "[2001:db8::1]:5"), datagram(1, "one")],
      ...[frame(FrameType.Ping, 0, 0, Buffer.from("12345678")), datagram(3, "two".repeat(100)), datagram(1, "")],
      frame(
        FrameType.Data,
        PADDED,
        3,
        Buffer.concat([Uint8Array.of(4), encodeCapsule(Buffer.from("x")), Buffer.alloc(4)]),
      ),
      frame(0x77, 0xff, 5, Buffer.alloc(100)),
      frame(FrameType.Headers, END_HEADERS | PADDED | PRIORITY, 5, [
        3,
        0,
        0,
        0,
        0,
        9,
        ...fields("1.2.3.4:5"),
        0,
        0,
        0,
      ] as never),
    ]);
    lab.send(input);
    const whole = Buffer.from(lab.take());
    assert.deepEqual(texts(decodeFrames(whole).frames), ["one", "two".repeat(100), "", "x"]);
    for (const [index, chunk] of [1, 2, 7].entries()) {
      lab.connect(100 + index);
      lab.send(input, chunk, 100 + index);
      assert.deepEqual(Buffer.from(lab.take(100 + index)), whole, `pieces of ${chunk}`);
    }
  });

  it("reads capsules several to a frame and split anywhere, and skips what is none of ours", () => {
    const other = Buffer.concat([Uint8Array.of(0x41, 0x23, 0x42, 0x58), Buffer.alloc(600)]);
    const context2 = Uint8Array.of(0, 3, 2, 9, 9);
    const tooLarge = encodeCapsule(Buffer.alloc(5000));
    const longVarint = Buffer.concat(
      [[0x80, 0, 0, 0], [0xc0, 0, 0, 0, 0, 0, 0, 3], [0x40, 0], Buffer.from("v")].map((part) => Buffer.from(part)),
    );
    const stream = Buffer.concat([
      ...[encodeCapsule(Buffer.from("a")), other, encodeCapsule(Buffer.from("b".repeat(4096))), context2],
      ...[tooLarge, Uint8Array.of(0, 0), longVarint, encodeCapsule(Buffer.from("z"))],
    ]);
    lab.greeted(request(1), setting(4, 1 << 20) && settings(setting(4, 1 << 20)));
    for (const size of [1, 2, 7, 999, 4000, stream.length]) {
      for (let at = 0; at < stream.length; at += size)
        lab.send(frame(FrameType.Data, 0, 1, stream.subarray(at, at + size)));
      lab.send(frame(FrameType.WindowUpdate, 0, 0, u32(100_000)));
      assert.deepEqual(texts(lab.frames()), ["a", "b".repeat(4096), "v", "z"], `${size} octets a frame`);
    }
    assert.equal(lab.counters.skipped, 6);
    assert.equal(lab.counters.malformed, 18);
  });

  it("bounds capsules that stay in parts: beyond it they are dropped, and memory does not grow", () => {
    lab.limits({ sessions: 1000, perSource: 1000 });
    lab.greeted();
    const part = encodeCapsule(Buffer.alloc(2000)).subarray(0, 1000);
    for (let index = 0; index < 500; index++)
      lab.send(Buffer.concat([request(1 + 2 * index), frame(FrameType.Data, 0, 1 + 2 * index, part)]));
    assert.equal(lab.counters.malformed, 500 - 64);
    const before = lab.memorySize;
    for (let round = 0; round < 50; round++) {
      lab.call("end", 7);
      lab.call("closed", 7);
      lab.connect();
      lab.greeted(request(1), frame(FrameType.Data, 0, 1, part));
      lab.call("collect");
    }
    assert.equal(lab.counters.malformed, 500 - 64, "what ended connections held is free again");
    assert.equal(lab.memorySize, before);
  });

  it("takes header blocks in several frames, up to 32 KiB", () => {
    const block = Buffer.from(fields("192.0.2.9:99"));
    const pieces = [...block].map((octet) => Uint8Array.of(octet));
    const parts = pieces
      .slice(0, 20)
      .map((piece, index) =>
        index === 0 ? frame(FrameType.Headers, 0, 1, piece) : frame(FrameType.Continuation, 0, 1, piece),
      );
    const last = frame(FrameType.Continuation, END_HEADERS, 1, block.subarray(20));
    assert.equal(lab.greeted(...parts, last)[0]?.type, FrameType.Headers);
    lab.send(datagram(1, "q"));
    assert.equal(BigInt.asUintN(64, BigInt(lab.call("low"))), 0xffffc0000209n);
    const large = [
      frame(FrameType.Headers, 0, 3, Buffer.alloc(16384, 0x82)),
      frame(FrameType.Continuation, 0, 3, Buffer.alloc(16384, 0x82)),
      frame(FrameType.Continuation, 0, 3, Buffer.alloc(1, 0x82)),
    ];
    assert.equal(lab.send(Buffer.concat(large)), false);
    assert.equal(error(lab.frames()), 11, "ENHANCE_YOUR_CALM");
  });

  it("refuses a request whose client is not known, and only that one", () => {
    const frames = lab.greeted(
      frame(FrameType.Headers, END_HEADERS, 1, Uint8Array.of(0x83)),
      request(3, "nobody"),
      request(5),
    );
    assert.deepEqual(
      resets(frames).map(({ stream, payload }) => [stream, payload[3]]),
      [
        [1, 1],
        [3, 1],
      ],
    );
    assert.equal(lab.counters.refused, 2);
    assert.equal(lab.counters.opened, 1);
  });

  const ill: [string, number, ...Uint8Array[]][] = [
    ["a frame above SETTINGS_MAX_FRAME_SIZE", 6, frame(FrameType.Data, 0, 1, Buffer.alloc(16385))],
    ["DATA of stream 0", 1, frame(FrameType.Data, 0, 0, Buffer.alloc(4))],
    ["DATA of a stream that was not opened", 1, datagram(9, "q")],
    ["DATA with more padding than payload", 1, request(1), frame(FrameType.Data, PADDED, 1, Uint8Array.of(3, 0, 0))],
    ["HEADERS of an even stream", 1, request(2)],
    ["HEADERS of stream 0", 1, request(0)],
    ["HEADERS too short for their priority", 6, frame(FrameType.Headers, END_HEADERS | PRIORITY, 1, Buffer.alloc(4))],
    ["a dynamic index", 9, frame(FrameType.Headers, END_HEADERS, 1, Uint8Array.of(0xbe))],
    ["another frame within a header block", 1, frame(FrameType.Headers, 0, 1, fields("1.2.3.4:5")), datagram(1, "q")],
    ["CONTINUATION of nothing", 1, frame(FrameType.Continuation, END_HEADERS, 1)],
    [
      "CONTINUATION of another stream",
      1,
      frame(FrameType.Headers, 0, 1),
      frame(FrameType.Continuation, END_HEADERS, 3),
    ],
    [
      "CONTINUATION without end",
      11,
      frame(FrameType.Headers, 0, 1),
      ...Array(40).fill(frame(FrameType.Continuation, 0, 1)),
    ],
    ["RST_STREAM of stream 0", 1, frame(FrameType.RstStream, 0, 0, u32(0))],
    ["RST_STREAM of another length", 6, request(1), frame(FrameType.RstStream, 0, 1, Buffer.alloc(5))],
    ["SETTINGS of a stream", 1, frame(FrameType.Settings, 0, 1)],
    ["SETTINGS of another length", 6, frame(FrameType.Settings, 0, 0, Buffer.alloc(5))],
    ["SETTINGS ACK with a payload", 6, frame(FrameType.Settings, ACK, 0, Buffer.alloc(6))],
    ["SETTINGS with a window above 2^31-1", 3, settings(setting(4, 0x80000000))],
    ["SETTINGS with a frame size below 2^14", 1, settings(setting(5, 16383))],
    ["PUSH_PROMISE", 1, request(1), frame(5, 0, 1, Buffer.alloc(4))],
    ["PING of another length", 6, frame(FrameType.Ping, 0, 0, Buffer.alloc(7))],
    ["PING of a stream", 1, frame(FrameType.Ping, 0, 1, Buffer.alloc(8))],
    ["GOAWAY of a stream", 1, frame(FrameType.GoAway, 0, 1, Buffer.alloc(8))],
    ["WINDOW_UPDATE of another length", 6, frame(FrameType.WindowUpdate, 0, 0, Buffer.alloc(3))],
    ["WINDOW_UPDATE by nothing", 1, frame(FrameType.WindowUpdate, 0, 0, u32(0))],
    ["a connection window above 2^31-1", 3, frame(FrameType.WindowUpdate, 0, 0, u32(0x7fffffff))],
  ];
  for (const [what, code, ...octets] of ill) {
    it(`ends the connection on ${what}`, () => {
      for (const chunk of [1 << 20, 1]) {
        lab.connect();
        lab.send(Buffer.concat([PREFACE, settings()]));
        lab.take();
        assert.equal(lab.send(Buffer.concat(octets), chunk), false);
        assert.equal(error(lab.frames()), code);
        assert.equal(lab.send(request(1)), false, "nothing is read after it");
        assert.equal(lab.take().length, 0, "nor said");
        lab.call("end", 7);
        assert.ok(lab.isClosed);
      }
    });
  }

  it("ends the connection on what is no preface, and without SETTINGS after it", () => {
    assert.equal(lab.send(Buffer.from("GET / HTTP/1.1\r\nHost: example\r\n\r\n")), false);
    lab.connect();
    assert.equal(lab.send(Buffer.concat([PREFACE, request(1)])), false);
    lab.connect();
    assert.equal(lab.send(Buffer.concat([PREFACE, frame(FrameType.Settings, ACK, 0)])), false);
  });

  it("keeps to a frame's bound when its head comes in pieces", () => {
    // Once read nine octets past its buffer.
    for (const length of [16385, 16390, 16393, 16394, 0xffffff]) {
      lab.connect();
      lab.send(Buffer.concat([PREFACE, settings()]));
      const head = Buffer.concat([u32(length).subarray(1), Uint8Array.of(6, 0, 0, 0, 0, 0)]);
      assert.equal(lab.send(head.subarray(0, 2)), true);
      assert.equal(lab.send(head.subarray(2)), false, `${length}`);
    }
  });

  it("keeps to the peer's windows: what has no room is dropped, and counted", () => {
    lab.greeted(settings(setting(4, 20)), request(1), request(3), datagram(1, "0123456789"));
    lab.send(datagram(1, "0123456789"));
    assert.equal(texts(lab.frames()).length, 0, "14 of 20 octets were used");
    assert.equal(lab.counters.dropped, 1);
    lab.send(
      Buffer.concat([frame(FrameType.WindowUpdate, 0, 1, u32(8)), datagram(1, "0123456789"), datagram(3, "ok")]),
    );
    assert.deepEqual(texts(lab.frames()), ["0123456789", "ok"]);
    lab.send(
      Buffer.concat([settings(setting(4, 0)), datagram(3, "no"), settings(setting(4, 100)), datagram(3, "yes")]),
    );
    assert.deepEqual(texts(lab.frames()), ["yes"], "a change of the initial window is one of open streams");
    lab.send(frame(FrameType.WindowUpdate, 0, 3, u32(0x7fffffff)));
    const [reset] = resets(lab.frames());
    assert.deepEqual([reset?.stream, reset?.payload[3]], [3, 3], "FLOW_CONTROL_ERROR of the stream");
  });

  it("keeps to the connection's window", () => {
    lab.greeted(request(1));
    lab.mode(Mode.AnswerLarge, 16000);
    for (let times = 0; times < 5; times++) lab.send(datagram(1, "q"));
    assert.equal(answers(lab.frames()).length, 4, "65535 octets at first");
    lab.send(
      Buffer.concat([
        frame(FrameType.WindowUpdate, 0, 0, u32(20_000)),
        frame(FrameType.WindowUpdate, 0, 1, u32(20_000)),
        datagram(1, "q"),
      ]),
    );
    assert.equal(answers(lab.frames()).length, 1);
  });

  it("gives windows back before they are used up", () => {
    lab.mode(Mode.Drop);
    lab.greeted(request(1));
    const large = Buffer.concat(
      Array.from({ length: 60 }, () => frame(FrameType.Data, 0, 1, Buffer.alloc(16384, 0x3f))),
    );
    let updates: Frame[] = [];
    for (let sent = 0; sent < 1.1 * 2 ** 28 && updates.length === 0; sent += 60 * 16384) {
      lab.send(large);
      updates = lab.frames().filter(({ type }) => type === FrameType.WindowUpdate);
    }
    assert.deepEqual(updates.map(({ stream }) => stream).sort(), [0, 1]);
    for (const { payload } of updates) assert.ok(Buffer.from(payload).readUInt32BE() >= 2 ** 28);
  }).timeout(60_000);

  it("never traps on mutated frames, in bounded time", () => {
    const random = randomOf(9113);
    const sound = [
      ...[
        settings(setting(4, 70_000)),
        request(1),
        request(3, "[::1]:1"),
        datagram(1, "query"),
        datagram(3, "q".repeat(300)),
      ],
      ...[frame(FrameType.Ping, 0, 0, Buffer.alloc(8)), frame(FrameType.WindowUpdate, 0, 1, u32(9)), request(5)],
      ...[frame(FrameType.RstStream, 0, 3, u32(8)), frame(FrameType.Headers, 0, 7, fields("1.2.3.4:5"))],
      ...[frame(FrameType.Continuation, END_HEADERS, 7), datagram(7, "x"), frame(FrameType.Data, END_STREAM, 7)],
    ];
    lab.limits({ sessions: 64, perSource: 2, keepAlive: 1000n });
    for (let times = 0; times < 6000; times++) {
      lab.mode(random(4), random(20_000));
      lab.connect();
      lab.send(Buffer.concat([PREFACE, settings()]));
      const frames = sound.map((octets) => Buffer.from(octets)).filter(() => random(5) > 0);
      for (let changes = random(5); changes > 0; changes--) {
        const victim = frames[random(frames.length)];
        if (victim && victim.length > 0) victim[random(random(2) ? victim.length : 9)] = random(256);
      }
      if (lab.send(Buffer.concat(frames), 1 + random(random(2) ? 9 : 400))) lab.pass(random(3000));
      if (random(4) === 0) lab.call("answerHeld");
      if (random(2)) lab.call("end", 7);
      lab.call("closed", 7);
      if (times % 50 === 0) lab.call("collect");
      lab.take();
    }
    assert.ok(lab.memorySize < 32 << 20, `${lab.memorySize} octets of memory`);
  }).timeout(60_000);
});
