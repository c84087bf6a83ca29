/** DNS over HTTPS over HTTP/2: against Node's own client in pieces of any size, and frame by frame at its limits. */
import { strict as assert } from "node:assert";
import http2 from "node:http2";
import { Duplex } from "node:stream";
import { decodeFrames, encodeField, encodeFrame, type Frame, FrameType } from "../../host/tunnel.ts";
import { randomOf } from "../tunnel/wire.ts";
import { Room } from "../wire/room.ts";

const SECOND = 1_000_000;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const MESSAGE = Buffer.from("a DNS message");
const PARAMETER = `dns=${MESSAGE.toString("base64url")}`;

enum Mode {
  Answer,
  Hold,
  Drop,
  AnswerLarge,
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const frame = (type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Uint8Array =>
  encodeFrame({ type, flags, stream, payload });
const settings = (...values: [number, number][]): Uint8Array =>
  frame(FrameType.Settings, 0, 0, Buffer.concat(values.map(([id, value]) => Buffer.from([0, id, ...u32(value)]))));
const block = (fields: [string, string][]): Uint8Array =>
  Buffer.concat(fields.map(([name, value]) => encodeField(name, value)));
const head = (method: string, path: string, ...more: [string, string][]): [string, string][] => [
  [":method", method],
  [":scheme", "https"],
  [":authority", "dns.example"],
  [":path", path],
  ...more,
];
const get = (stream: number, path = `/dns-query?${PARAMETER}`): Uint8Array =>
  frame(FrameType.Headers, END_HEADERS | END_STREAM, stream, block(head("GET", path)));
const post = (stream: number, ...more: [string, string][]): Uint8Array =>
  frame(
    FrameType.Headers,
    END_HEADERS,
    stream,
    block(head("POST", "/dns-query", ["content-type", "application/dns-message"], ...more)),
  );
const data = (stream: number, octets: Uint8Array, flags = END_STREAM): Uint8Array =>
  frame(FrameType.Data, flags, stream, octets);
const credit = (stream: number, size: number): Uint8Array => frame(FrameType.WindowUpdate, 0, stream, u32(size));

/** `:status` of a header block of ours: an entry of the static table, or a literal. */
const statusOf = ({ payload }: Frame): number => {
  assert.equal(payload[0], 0x20, "a table size update");
  if (payload[1] === 0x88) return 200;
  return Number(Buffer.from(payload.slice(3, 6)).toString());
};

/** Connection 1 as a stream, in pieces of `chunk` octets. */
function duplexOf(room: Room, now: number, chunk = 1 << 20): Duplex {
  const duplex = new Duplex({
    read() {},
    write: (bytes: Buffer, _encoding, done) => {
      for (let at = 0; at < bytes.length; at += chunk)
        room.call("receive", 1, room.put(bytes.subarray(at, at + chunk)), BigInt(now));
      // Node's client does not survive an answer to what it is still writing.
      setImmediate(() => {
        duplex.push(room.take(1));
        done();
      });
    },
  });
  return duplex;
}

describe("DNS over HTTPS over HTTP/2", () => {
  let room: Room;
  let now: number;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("transport/entry/doh.ts");
  });
  beforeEach(() => begin());

  const begin = ({ input = 8 << 20, output = 16 << 20 } = {}) => {
    now = 1000 * SECOND;
    room.call("begin", ...[10, 2, 300].map((each) => BigInt(each * SECOND)), input, output);
    connect(1);
  };
  const connect = (context: number) => room.call("connect", context, BigInt(now));
  const mode = (kind: Mode, size = 0, ttl = 0) => room.call("setMode", kind, size, ttl);
  const send = (bytes: Uint8Array, chunk = bytes.length, context = 1): boolean => {
    for (let at = 0; at < bytes.length; at += chunk)
      if (!room.call("receive", context, room.put(bytes.subarray(at, at + chunk)), BigInt(now))) return false;
    return true;
  };
  const frames = (context = 1): Frame[] => decodeFrames(room.take(context)).frames;
  const greeted = (...bytes: Uint8Array[]): Frame[] => {
    send(Buffer.concat([PREFACE, settings()]));
    room.take(1);
    send(Buffer.concat(bytes));
    return frames();
  };
  const statuses = (all: Frame[]): [number, number][] =>
    all.filter(({ type }) => type === FrameType.Headers).map((each) => [each.stream, statusOf(each)]);
  const resets = (all: Frame[]): [number, number][] =>
    all.filter(({ type }) => type === FrameType.RstStream).map(({ stream, payload }) => [stream, payload[3] ?? -1]);
  const bodies = (all: Frame[]): string[] =>
    all.filter(({ type }) => type === FrameType.Data).map(({ payload }) => Buffer.from(payload).toString());
  const goAway = (all: Frame[]): number | undefined => all.find(({ type }) => type === FrameType.GoAway)?.payload[7];
  const pass = (seconds: number, draining = 0): Frame[] => {
    now += seconds * SECOND;
    for (let times = 0; times < 10; times++) room.call("tick", BigInt(now), draining);
    return frames();
  };

  for (const chunk of [1, 2, 7, 1 << 20]) {
    it(`serves Node's HTTP/2 client, its octets in pieces of ${chunk}`, async () => {
      mode(Mode.Answer, 0, 60);
      const client = http2.connect("https://dns.example", { createConnection: () => duplexOf(room, now, chunk) });
      const ask = (headers: http2.OutgoingHttpHeaders, body?: Buffer) =>
        new Promise<{ headers: http2.IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
          const stream = client.request(headers);
          const parts: Buffer[] = [];
          let answered: http2.IncomingHttpHeaders = {};
          stream.on("response", (received) => {
            answered = received;
          });
          stream.on("data", (bytes: Buffer) => parts.push(bytes));
          stream.on("end", () => resolve({ headers: answered, body: Buffer.concat(parts) }));
          stream.on("error", reject);
          stream.end(body);
        });
      const random = randomOf(chunk);
      for (let times = 0; times < 30; times++) {
        const message = Buffer.from(Array.from({ length: 12 + random(times === 9 ? 60_000 : 500) }, () => random(256)));
        const isGet = message.length < 10_000 && random(2) === 0;
        const answer = await (isGet
          ? ask({ ":path": `/t/${random(3)}/dns-query?dns=${message.toString("base64url")}`, "user-agent": "a" })
          : ask(
              { ":method": "POST", ":path": "/dns-query", "content-type": "application/dns-message", cookie: "a=b" },
              message,
            ));
        assert.equal(answer.headers[":status"], 200);
        assert.equal(answer.headers["content-type"], "application/dns-message");
        assert.equal(answer.headers["content-length"], `${message.length}`);
        assert.equal(answer.headers["cache-control"], "private, max-age=60");
        assert.deepEqual(answer.body, message);
      }
      await new Promise<void>((resolve, reject) => client.ping((failed) => (failed ? reject(failed) : resolve())));
      client.destroy();
      assert.equal(room.call("held"), 0, "no memory is held");
    });
  }

  it("tells the flow by which path a query came, however they mix", () => {
    greeted(get(1, `/t/a/dns-query?x=1&${PARAMETER}`));
    const path = () => room.output(room.call("lastPath")).toString();
    assert.equal(path(), "/t/a/dns-query");
    send(post(3));
    send(get(5, `/t/b/dns-query?${PARAMETER}`));
    assert.equal(path(), "/t/b/dns-query");
    send(data(3, MESSAGE));
    assert.equal(path(), "/dns-query", "of the request whose body came last");
    send(get(7, `/t/b/../a/dns-query?${PARAMETER}`));
    assert.equal(path(), "/t/b/../a/dns-query", "as it was written: no path is another in disguise");
  });

  const refused: [string, number, Uint8Array, Uint8Array?][] = [
    ["another path", 404, get(1, "/other")],
    ["no parameter", 400, get(1, "/dns-query")],
    ["what is not base64url", 400, get(1, "/dns-query?dns=a%20b")],
    ["a message that is too short", 400, get(1, "/dns-query?dns=AAAA")],
    ["a message that is too long", 404, get(1, `/dns-quer?dns=${"A".repeat(100)}`)],
    ["HEAD", 405, frame(FrameType.Headers, END_HEADERS | END_STREAM, 1, block(head("HEAD", "/dns-query")))],
    ["no content type", 415, frame(FrameType.Headers, END_HEADERS, 1, block(head("POST", "/dns-query")))],
    [
      "a POST without a body",
      400,
      frame(
        FrameType.Headers,
        END_HEADERS | END_STREAM,
        1,
        block(head("POST", "/dns-query", ["content-type", "application/dns-message"])),
      ),
    ],
    ["a body that is announced as too large", 413, post(1, ["content-length", "65536"])],
    ["a length that is none", 413, post(1, ["content-length", "1x"])],
    ["an empty body", 400, post(1), data(1, Buffer.alloc(0))],
    ["fields of more than 16 KiB", 431, get(1, `/dns-query?${PARAMETER}&x=${"y".repeat(16_200)}`)],
  ];
  for (const [what, status, ...octets] of refused) {
    it(`answers ${what} ${status}, and the next request all the same`, () => {
      const all = greeted(...octets.filter((each) => each !== undefined), get(9));
      assert.deepEqual(statuses(all), [
        [1, status],
        [9, 200],
      ]);
      const ends = all.filter(({ stream, flags, type }) => stream === 1 && type !== FrameType.RstStream && flags & 1);
      assert.equal(ends.length, 1, "the stream is ended");
      assert.equal(room.call("held"), 0);
    });
  }

  it("answers a query that is none 400, and lets a client that goes on sending do so (RFC 9113, section 8.1)", () => {
    mode(Mode.Drop);
    assert.deepEqual(statuses(greeted(get(1))), [[1, 400]]);
    mode(Mode.Answer);
    const unfinished = frame(FrameType.Headers, END_HEADERS, 3, block(head("GET", `/dns-query?${PARAMETER}`)));
    send(unfinished);
    const all = frames();
    assert.deepEqual(statuses(all), [[3, 200]]);
    assert.deepEqual(resets(all), [[3, 0]], "NO_ERROR");
    send(data(3, MESSAGE));
    assert.deepEqual(frames(), []);
  });

  const ill: [string, Uint8Array][] = [
    ["without a path", block([[":method", "GET"] as [string, string], [":scheme", "https"]])],
    ["without a scheme", block([[":method", "GET"] as [string, string], [":path", "/dns-query"]])],
    ["with a pseudo-header after others", block([["a", "b"], ...head("GET", "/dns-query")])],
    ["with a path twice", block([...head("GET", "/dns-query"), [":path", "/x/dns-query"]])],
    ["with an unknown pseudo-header", block([[":protocol", "x"], ...head("GET", "/dns-query")])],
    ["with a name in upper case", block(head("GET", "/dns-query", ["Accept", "b"]))],
    ["with a field of the connection", block(head("GET", "/dns-query", ["connection", "close"]))],
    ["with TE that is not trailers", block(head("GET", "/dns-query", ["te", "gzip"]))],
    ["with two lengths", block(head("POST", "/dns-query", ["content-length", "1"], ["content-length", "1"]))],
  ];
  for (const [what, fields] of ill) {
    it(`resets a request ${what}, and only that one`, () => {
      const all = greeted(frame(FrameType.Headers, END_HEADERS | END_STREAM, 1, fields), get(3));
      assert.deepEqual(resets(all), [[1, 1]]);
      assert.deepEqual(statuses(all), [[3, 200]]);
    });
  }

  it("keeps to what content-length announced (RFC 9113, section 8.1.1)", () => {
    const all = greeted(post(1, ["content-length", "12"]), data(1, MESSAGE));
    assert.deepEqual(resets(all), [[1, 1]]);
    send(Buffer.concat([post(3, ["content-length", `${MESSAGE.length}`]), data(3, MESSAGE)]));
    assert.deepEqual(statuses(frames()), [[3, 200]]);
  });

  it("takes bodies in parts, with padding and trailers", () => {
    const padded = Buffer.concat([Uint8Array.of(2), MESSAGE.subarray(0, 5), Buffer.alloc(2)]);
    const all = greeted(
      post(1),
      data(1, padded, PADDED),
      data(1, Buffer.alloc(0), 0),
      data(1, MESSAGE.subarray(5), 0),
      frame(FrameType.Headers, END_HEADERS | END_STREAM, 1, block([["x", "y"]])),
    );
    assert.deepEqual(statuses(all), [[1, 200]]);
    assert.deepEqual(bodies(all), [MESSAGE.toString()]);
    assert.equal(room.call("held"), 0);
  });

  it("answers in any order, and not to streams that were reset", () => {
    mode(Mode.Hold);
    greeted(get(1), get(3), get(5), frame(FrameType.RstStream, 0, 3, u32(8)));
    room.call("answerHeld", 3, 1, 0);
    assert.deepEqual(statuses(frames()), [
      [5, 200],
      [1, 200],
    ]);
  });

  it("refuses more than 100 requests at a time, also where the client resets them at once", () => {
    mode(Mode.Hold);
    const many = Array.from({ length: 130 }, (_, index) => get(1 + 2 * index));
    const refusedFrom = (all: Frame[]) => resets(all).filter(([, code]) => code === 7);
    assert.equal(refusedFrom(greeted(...many)).length, 30, "REFUSED_STREAM");
    room.call("answerHeld", 1000, 0, 0);
    frames();
    const rapid = Array.from({ length: 130 }, (_, index) => {
      const stream = 1001 + 2 * index;
      return [get(stream), frame(FrameType.RstStream, 0, stream, u32(8))];
    });
    send(Buffer.concat(rapid.flat()));
    assert.equal(refusedFrom(frames()).length, 30);
    assert.equal(room.call("received"), 200);
  });

  it("keeps to the client's windows, and sends the rest as they open", () => {
    mode(Mode.AnswerLarge, 1000);
    send(Buffer.concat([PREFACE, settings([4, 100]), get(1), get(3)]));
    let all = frames();
    assert.deepEqual(statuses(all), [
      [1, 200],
      [3, 200],
    ]);
    const octets = (list: Frame[], stream: number) =>
      list
        .filter((each) => each.type === FrameType.Data && each.stream === stream)
        .reduce((sum, { payload }) => sum + payload.length, 0);
    const ended = (list: Frame[]) =>
      list.filter(({ type, flags }) => type === FrameType.Data && flags & 1).map(({ stream }) => stream);
    assert.deepEqual([octets(all, 1), octets(all, 3), ended(all)], [100, 100, []]);
    assert.equal(room.call("held"), 1800);
    send(credit(3, 500));
    all = frames();
    assert.deepEqual([octets(all, 1), octets(all, 3), ended(all)], [0, 500, []]);
    send(settings([4, 700]));
    all = frames();
    assert.deepEqual([octets(all, 1), octets(all, 3), ended(all)], [600, 400, [3]]);
    send(credit(1, 10_000));
    all = frames();
    assert.deepEqual([octets(all, 1), ended(all)], [300, [1]]);
    assert.equal(room.call("held"), 0);
  });

  it("keeps to the connection's window", () => {
    mode(Mode.AnswerLarge, 40_000);
    send(Buffer.concat([PREFACE, settings(), get(1), get(3)]));
    const sum = (list: Frame[]) =>
      list.filter(({ type }) => type === FrameType.Data).reduce((all, { payload }) => all + payload.length, 0);
    assert.equal(sum(frames()), 65_535);
    send(credit(0, 5000));
    assert.equal(sum(frames()), 5000);
    send(credit(0, 50_000));
    const all = frames();
    assert.equal(sum(all), 80_000 - 70_535);
    assert.ok(all.every(({ payload }) => payload.length <= 16_384));
  });

  it("gives up a body that does not come, and an answer that is not taken, after two seconds", () => {
    mode(Mode.AnswerLarge, 1000);
    send(Buffer.concat([PREFACE, settings([4, 10]), post(1), data(1, MESSAGE, 0), get(3)]));
    frames();
    assert.deepEqual(pass(1.9), []);
    const all = pass(0.2);
    assert.deepEqual(statuses(all), [[1, 408]]);
    assert.deepEqual(
      resets(all).sort(([a], [b]) => a - b),
      [
        [1, 0],
        [3, 11],
      ],
    );
    assert.equal(room.call("held"), 0);
  });

  it("grants what bodies used, so that a connection never runs dry", () => {
    greeted();
    let granted = 0;
    let sent = 0;
    for (let stream = 1; stream < 400; stream += 2) {
      const body = Buffer.alloc(20_000, 1);
      send(
        Buffer.concat([post(stream), data(stream, body.subarray(0, 12_000), 0), data(stream, body.subarray(12_000))]),
      );
      sent += body.length;
      for (const { type, stream: of, payload } of frames())
        if (type === FrameType.WindowUpdate && of === 0) granted += Buffer.from(payload).readUInt32BE();
    }
    assert.ok(sent - granted < 1 << 18, `${sent} octets sent, ${granted} granted`);
  });

  it("ends a connection that sends more than its window", () => {
    mode(Mode.Hold);
    greeted();
    let sent = 0;
    let isOpen = true;
    // Bodies that do not end are not granted again.
    for (let stream = 1; isOpen && stream < 199; stream += 2) {
      isOpen = send(Buffer.concat([post(stream), data(stream, Buffer.alloc(16_384), 0)]));
      sent += 16_384;
    }
    assert.ok(!isOpen && sent <= (1 << 20) + 16_384, `${sent} octets`);
    assert.equal(goAway(frames()), 3, "FLOW_CONTROL_ERROR");
    assert.equal(room.call("held"), 0, "what it held is free at once");
  });

  it("answers 413 to a body above 65,535 octets", () => {
    greeted(post(1));
    for (let times = 0; times < 4; times++) {
      assert.deepEqual(frames(), []);
      send(data(1, Buffer.alloc(16_384), 0));
    }
    assert.deepEqual(statuses(frames()), [[1, 413]]);
    assert.equal(room.call("held"), 0);
  });

  it("ends idle connections, and says farewell by GOAWAY", () => {
    greeted(get(1));
    assert.equal(goAway(pass(9)), undefined);
    const all = pass(2);
    assert.equal(goAway(all), 0);
    assert.equal(all.at(-1)?.type, FrameType.GoAway);
    assert.ok(room.isClosed(1));
  });

  it("says which streams it has taken when it drains, once they are answered", () => {
    mode(Mode.Hold);
    greeted(get(1), get(3));
    assert.equal(goAway(pass(1, 1)), undefined);
    room.call("answerHeld", 2, 0, 0);
    const last = pass(1, 1).at(-1);
    assert.equal(last?.type, FrameType.GoAway);
    assert.equal(Buffer.from(last?.payload ?? []).readUInt32BE(), 3);
  });

  it("reads no more from who takes no answers, and ends it where too much waits", () => {
    begin({ output: 100_000 });
    mode(Mode.AnswerLarge, 10_000);
    send(Buffer.concat([PREFACE, settings([4, 0x7fffffff]), credit(0, 0x7fff0000)]));
    let written = 0;
    let isOpen = true;
    for (let stream = 1; isOpen && stream < 20_000; stream += 2) {
      isOpen = send(get(stream));
      written += room.take(1).length;
    }
    assert.ok(!isOpen, "it goes on for ever");
    assert.ok(written < 200_000, `${written} octets in one tick`);
  });

  it("counts acknowledgements as answers", () => {
    begin({ output: 100_000 });
    send(Buffer.concat([PREFACE, settings()]));
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame(FrameType.Ping, 0, 0, Buffer.alloc(8))));
    let written = 0;
    for (let times = 0; times < 1000 && send(pings); times++) written += room.take(1).length;
    assert.ok(written < 200_000, `${written} octets of acknowledgements in one tick`);
  });

  it("never traps on mutated frames, and gives all memory back", () => {
    const random = randomOf(8484);
    const sound = [
      ...[settings([4, 300]), get(1), post(3), data(3, MESSAGE, 0), credit(1, 50), credit(0, 70), get(5)],
      ...[data(3, MESSAGE), frame(FrameType.Ping, 0, 0, Buffer.alloc(8)), post(7), data(7, MESSAGE, 0)],
      ...[frame(FrameType.RstStream, 0, 5, u32(8)), frame(FrameType.Headers, 0, 9, block(head("GET", "/dns-query")))],
      ...[frame(FrameType.Continuation, END_HEADERS, 9, encodeField("a", "b")), get(11), data(11, MESSAGE)],
    ];
    for (let times = 0; times < 6000; times++) {
      mode(random(4), random(20_000), random(100));
      connect(1);
      send(Buffer.concat([PREFACE, settings()]));
      const parts = sound.map((octets) => Buffer.from(octets)).filter(() => random(5) > 0);
      for (let changes = random(5); changes > 0; changes--) {
        const victim = parts[random(parts.length)];
        if (victim && victim.length > 0) victim[random(random(2) ? victim.length : 9)] = random(256);
      }
      if (send(Buffer.concat(parts), 1 + random(random(2) ? 9 : 400))) pass(random(3));
      if (random(2) === 0) room.call("answerHeld", random(10), random(2), random(2));
      room.call("closed", 1);
      room.call("answerHeld", 1000, 0, 0);
      room.take(1);
      if (times % 50 === 0) room.call("collect");
      assert.equal(room.call("held"), 0);
    }
    assert.ok(room.memorySize < 32 << 20, `${room.memorySize} octets of memory`);
  }).timeout(60_000);
});

describe("header blocks with a dynamic table", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("transport/entry/doh.ts");
  });
  beforeEach(() => void room.call("newReader"));

  const read = (hex: string): (string | undefined)[] | number => {
    const result = room.call("read", room.put(Buffer.from(hex.replaceAll(" ", ""), "hex")));
    if (result !== 0) return result;
    return [0, 1, 2, 3].map((index) => {
      const length = room.call("field", index);
      return length < 0 ? undefined : room.output(length).toString("latin1");
    });
  };

  it("reads the requests of RFC 7541, appendix C.3 and C.4, each by what the one before left", () => {
    const plain = [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    const huffman = [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for (const blocks of [plain, huffman]) {
      room.call("newReader");
      assert.deepEqual(read(blocks[0] ?? ""), ["GET", "/", undefined, undefined]);
      assert.deepEqual(read(blocks[1] ?? ""), ["GET", "/", undefined, undefined]);
      assert.deepEqual(read(blocks[2] ?? ""), ["GET", "/index.html", undefined, undefined]);
      assert.deepEqual(read("c0"), [undefined, undefined, undefined, undefined], "three entries are there");
      assert.equal(read("c1"), -1, "a fourth is not");
    }
  });

  it("remembers values, forgets the oldest, and obeys size updates", () => {
    const literal = (name: string, value: string) =>
      Buffer.concat([
        Uint8Array.of(0x40, name.length),
        Buffer.from(name),
        Uint8Array.of(0x7f, value.length - 127),
        Buffer.from(value),
      ]).toString("hex");
    const path = `/${"p".repeat(199)}`;
    assert.deepEqual(read(literal(":path", path)), [undefined, path, undefined, undefined]);
    assert.deepEqual(read("be"), [undefined, path, undefined, undefined]);
    for (let times = 0; times < 16; times++)
      read(literal(`x-${times}`, "v".repeat(200)) + literal(`y-${times}`, "v".repeat(128)));
    // The last ten pairs count 3,992 octets of 4,096.
    assert.deepEqual(read("d1"), [undefined, undefined, undefined, undefined]);
    assert.equal(read("d2"), -1, "the path was the oldest");
    assert.equal(read(`3f 11 ${literal(":path", path)} be`), -1, "a table of 48 octets has no room for it");
    assert.equal(read("3f e2 1f"), -1, "4,097 octets were not offered");
  });

  it("agrees with Node's encoder on random requests over one connection", async () => {
    const random = randomOf(7541);
    room.call("begin", ...[10, 2, 300].map((each) => BigInt(each * SECOND)), 8 << 20, 1 << 30);
    room.call("connect", 1, BigInt(SECOND));
    const client = http2.connect("https://dns.example", { createConnection: () => duplexOf(room, SECOND) });
    for (let times = 0; times < 300; times++) {
      const path = `/${"abcdefgh".slice(random(8))}/${random(40)}/dns-query?dns=AAA${"-_aZ9".charAt(random(5))}AAAAAAAAAAAAAAAA`;
      const more = Object.fromEntries(
        Array.from({ length: random(4) }, () => [`x-${random(30)}`, "v".repeat(random(300))]),
      );
      const stream = client.request({ ":path": path, ...more });
      await new Promise<void>((resolve, reject) => stream.on("end", resolve).on("error", reject).resume());
      assert.equal(room.output(room.call("lastPath")).toString(), path.slice(0, path.indexOf("?")));
    }
    client.destroy();
  });
});
