/** DNS over TCP and TLS: framing whatever the pieces, many queries at a time, and every limit of a stream. */
import { strict as assert } from "node:assert";
import { SeededRandom } from "../../host/clock.ts";
import { decodeTcp, encodeTcp } from "../../host/framing.ts";
import { Room } from "../wire/room.ts";

const SECOND = 1_000_000;
const ALL = 1 << 20;
enum Mode {
  Answer,
  Hold,
  Drop,
  AnswerLarge,
}

describe("streams", () => {
  let room: Room;
  let now: number;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("transport/entry/stream.ts");
  });

  const begin = ({
    idle = 10,
    reading = 2,
    lifetime = 300,
    inFlight = 100,
    input = 8 << 20,
    output = 16 << 20,
  } = {}) => {
    now = 1000 * SECOND;
    room.call("begin", ...[idle, reading, lifetime].map((each) => BigInt(each * SECOND)), inFlight, input, output);
    connect(1);
  };
  const connect = (context: number) => room.call("connect", context, BigInt(now));
  const mode = (kind: Mode, size = 0) => room.call("setMode", kind, size);
  const send = (bytes: Uint8Array, chunk = bytes.length, context = 1): boolean => {
    for (let at = 0; at < bytes.length; at += chunk)
      if (!room.call("receive", context, room.put(bytes.subarray(at, at + chunk)), BigInt(now))) return false;
    return true;
  };
  const answers = (context = 1) => decodeTcp(room.take(context)).map((message) => Buffer.from(message));
  const isOpen = (context = 1) => room.call("isOpen", context) === 1;
  /** As many ticks of 50 ms; every stream is looked at once in ten of them. */
  const pass = (seconds: number, draining = false) => {
    for (let left = Math.round(seconds * 20); left > 0; left--) {
      now += SECOND / 20;
      room.call("tick", BigInt(now), draining ? 1 : 0);
    }
  };
  const query = (index: number, size = 30) => Buffer.alloc(size, `query ${index} `);
  const queries = (count: number, size = 30) => Array.from({ length: count }, (_, index) => query(index, size));
  beforeEach(() => {
    begin();
    room.take(1);
  });

  for (const chunk of [1, 2, 7, ALL])
    it(`take messages out of pieces of ${chunk} octets`, () => {
      const random = new SeededRandom(chunk);
      const messages = Array.from({ length: 60 }, () => Buffer.from(random.bytes(12 + random.below(500))));
      messages.push(Buffer.alloc(65_535, 7), query(1));
      for (const message of messages) {
        assert.ok(send(encodeTcp(message), chunk));
        assert.deepEqual(answers(), [message]);
      }
      assert.ok(send(encodeTcp(...messages.slice(0, 60)), chunk));
      assert.deepEqual(answers(), messages.slice(0, 60), "pipelined");
      assert.equal(room.call("waiting"), 0);
    });

  it("answer in whatever order the answers come (RFC 7766, section 6.2.1.1)", () => {
    mode(Mode.Hold);
    send(encodeTcp(...queries(5)));
    assert.deepEqual(answers(), []);
    room.call("answerHeld", 5, 1, 0);
    assert.deepEqual(answers(), queries(5).reverse());
  });

  it("end on a message too short for a header, after what came before it", () => {
    for (const size of [0, 1, 11]) {
      begin();
      assert.ok(!send(encodeTcp(query(1), Buffer.alloc(size), query(2))), `${size} octets`);
      assert.ok(room.isClosed(1));
      assert.equal(room.call("received"), 1);
      assert.deepEqual(answers(), [query(1)]);
    }
  });

  it("read no more than may be in flight, and go on with the next tick", () => {
    begin({ inFlight: 10 });
    mode(Mode.Hold);
    assert.ok(send(encodeTcp(...queries(25))));
    assert.equal(room.call("received"), 10);
    assert.equal(room.call("waiting") > 0, true);
    pass(0.05);
    assert.equal(room.call("received"), 10, "nothing was answered");
    room.call("answerHeld", 4, 0, 0);
    pass(0.05);
    assert.equal(room.call("received"), 14);
    room.call("answerHeld", 100, 0, 0);
    assert.ok(send(encodeTcp(query(25))), "new input reads on too");
    assert.equal(room.call("received"), 24);
    room.call("answerHeld", 100, 0, 0);
    pass(0.05);
    room.call("answerHeld", 100, 0, 0);
    assert.deepEqual(answers(), queries(26));
    assert.equal(room.call("waiting"), 0);
  });

  it("count a query that gets no answer as answered", () => {
    begin({ inFlight: 3 });
    mode(Mode.Drop);
    send(encodeTcp(...queries(50)));
    assert.equal(room.call("received"), 50);
    mode(Mode.Hold);
    send(encodeTcp(...queries(5)));
    room.call("answerHeld", 3, 0, 1);
    pass(0.05);
    assert.equal(room.call("received"), 55);
  });

  it("end where more waits than a stream may keep", () => {
    begin({ inFlight: 1 });
    mode(Mode.Hold);
    assert.ok(send(encodeTcp(query(0))));
    // 64 KiB and two octets of length.
    assert.ok(send(Buffer.alloc(65_538, 1), 10_000));
    assert.ok(!send(Buffer.of(1)));
    assert.ok(room.isClosed(1));
    room.call("closed", 1);
    assert.equal(room.call("waiting"), 0);
  });

  it("end the one whose input has waited longest where all together keep too much, and no other", () => {
    begin({ input: 40_000 });
    for (const context of [2, 3, 4, 5]) {
      connect(context);
      now += 1000;
      assert.ok(send(Buffer.concat([Buffer.of(0x80, 0), Buffer.alloc(9000)]), ALL, context));
    }
    // 16 KiB each: the third and the fourth each send one away.
    assert.deepEqual([2, 3, 4, 5].map(isOpen), [false, false, true, true]);
    assert.ok(room.call("waiting") <= 40_000);
    for (const context of [2, 3]) room.call("closed", context);
    assert.equal(room.call("waiting"), 32_768);
    assert.ok(isOpen(1), "one that keeps nothing stays");
  });

  it("send no more in a tick than their share, and the rest with the next", () => {
    begin({ output: 4000 * 20, inFlight: 1000 });
    mode(Mode.AnswerLarge, 10_000);
    send(encodeTcp(...queries(30)));
    const first = answers().length;
    // 80,000 octets.
    assert.ok(first >= 7 && first <= 9, `${first} answers`);
    pass(0.05);
    assert.ok(answers().length <= 9);
    pass(1);
    assert.equal(room.call("received"), 30);
    assert.ok(isOpen());
  });

  it("share what a worker may send", () => {
    begin({ output: 400_000, inFlight: 1000 });
    mode(Mode.AnswerLarge, 10_000);
    for (const context of [2, 3, 4]) connect(context);
    const take = () => [1, 2, 3, 4].map((context) => answers(context).length);
    for (const context of [1, 2, 3, 4]) send(encodeTcp(...queries(200)), ALL, context);
    assert.deepEqual(take(), [40, 40, 40, 40], "each took the whole in the first tick");
    pass(0.05);
    assert.deepEqual(take(), [10, 10, 10, 10]);
  });

  describe("end when they have been", () => {
    it("idle for too long", () => {
      send(encodeTcp(query(1)));
      pass(9.9);
      assert.ok(isOpen());
      pass(0.7);
      assert.ok(!isOpen());
    });

    it("idle, and not while a query waits; its answer begins the time anew", () => {
      mode(Mode.Hold);
      send(encodeTcp(query(1)));
      pass(30);
      assert.ok(isOpen());
      room.call("answerHeld", 1, 0, 0);
      pass(9.9);
      assert.ok(isOpen(), "clients are told this time (RFC 7828)");
      pass(0.7);
      assert.ok(!isOpen());
    });

    it("in the middle of a message for too long, however slowly it goes on", () => {
      send(encodeTcp(query(1)).subarray(0, 10));
      pass(1.9);
      assert.ok(isOpen());
      pass(0.7);
      assert.ok(!isOpen());
      begin();
      for (const octet of encodeTcp(query(1)).subarray(0, 30)) {
        if (!isOpen()) break;
        send(Buffer.of(octet));
        pass(0.1);
      }
      assert.ok(!isOpen());
      assert.equal(room.call("received"), 0);
    });

    it("in the middle of a message, counted from its beginning", () => {
      const bytes = encodeTcp(...queries(10));
      for (let at = 0; at < bytes.length; at += 20) {
        assert.ok(send(bytes.subarray(at, at + 20)));
        pass(1);
      }
      assert.equal(room.call("received"), 10);
      assert.ok(isOpen());
    });

    it("open for too long, at rest", () => {
      begin({ lifetime: 20 });
      mode(Mode.Hold);
      for (let times = 0; times < 25; times++) {
        send(encodeTcp(query(times)));
        pass(1);
      }
      assert.ok(isOpen(), "a query waits");
      room.call("answerHeld", 100, 0, 0);
      pass(0.6);
      assert.ok(!isOpen());
    });

    it("at rest, when the Envoy is drained", () => {
      mode(Mode.Hold);
      connect(2);
      send(encodeTcp(query(1)));
      pass(0.6, true);
      assert.deepEqual([isOpen(1), isOpen(2)], [true, false]);
      room.call("answerHeld", 1, 0, 0);
      pass(0.6, true);
      assert.ok(!isOpen(1));
      assert.deepEqual(answers(), [query(1)]);
    });
  });

  it("stay when they wait for answers with more behind, and not for the client", () => {
    begin({ inFlight: 1 });
    mode(Mode.Hold);
    send(encodeTcp(...queries(3)));
    pass(30);
    assert.ok(isOpen());
    room.call("answerHeld", 1, 0, 0);
    pass(0.1);
    assert.equal(room.call("received"), 2);
    pass(5);
    assert.ok(isOpen());
  });

  it("that are gone take no answer", () => {
    mode(Mode.Hold);
    send(encodeTcp(query(1)));
    room.call("closed", 1);
    room.call("answerHeld", 1, 0, 0);
    assert.deepEqual(answers(), []);
    assert.equal(room.call("streamCount"), 0);
  });

  it("leak nothing", () => {
    let memory = 0;
    for (let round = 0; round < 400; round++) {
      for (let context = 2; context < 12; context++) {
        connect(context);
        send(encodeTcp(...queries(3), Buffer.alloc(40_000)).subarray(0, 30_000 + context), ALL, context);
      }
      assert.equal(room.call("streamCount"), 11);
      for (let context = 2; context < 12; context++) {
        room.call("closed", context);
        room.take(context);
      }
      room.call("collect");
      if (round === 50) memory = room.memorySize;
    }
    assert.equal(room.call("waiting"), 0);
    assert.equal(room.memorySize, memory);
  });
});

describe("evidence", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("transport/entry/stream.ts");
  });
  const number = (principal = "", serverName = "", path = "", listener = 0) => {
    room.put(Buffer.from(principal + serverName + path));
    return room.call("evidence", listener, principal.length, serverName.length, path.length);
  };

  it("is one number for one combination, and another for each other", () => {
    const combinations: [string?, string?, string?, number?][] = [
      ["a"],
      ["b"],
      ["", "a"],
      ["", "", "a"],
      ["a", "a"],
      ["aa"],
      ["a", "", "a"],
      ["", "aa"],
      ["a", "", "", 1],
      [],
      ["", "", "", 1],
    ];
    const numbers = combinations.map((each) => number(...each));
    assert.equal(new Set(numbers).size, combinations.length);
    assert.deepEqual(
      combinations.map((each) => number(...each)),
      numbers,
    );
    assert.deepEqual(
      [number(), number("", "", "", 1)],
      [room.call("listenerNumber", 0), room.call("listenerNumber", 1)],
    );
  });

  it("is the same number again without what makes no difference", () => {
    const [bare, principal, name] = [number(), number("p"), number("", "n")];
    const whole = number("p", "n", "/x");
    const relevant = (mask: number) => room.call("relevantNumber", mask);
    assert.deepEqual([0, 1, 2, 7, 0].map(relevant), [bare, principal, name, whole, bare]);
  });

  it("is cut after 512 octets", () => {
    assert.equal(number("x".repeat(512)), number("x".repeat(600)));
    assert.notEqual(number("x".repeat(511)), number("x".repeat(600)));
  });

  it("is never another's number, however many combinations come", () => {
    const seen = new Set<number>();
    for (let index = 0; index < 10_000; index++) seen.add(number("", "", `/${index}`));
    assert.equal(seen.size, 10_000);
    assert.ok(!seen.has(number("", "", "/0")), "forgotten, and numbered anew");
  });
});
