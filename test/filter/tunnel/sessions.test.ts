/** UDP sessions: how they end, how long they linger, and who has how many. */
import { strict as assert } from "node:assert";
import { datagram, END_STREAM, type Frame, FrameType, frame, Lab, Mode, request, u32 } from "./wire.ts";

const SECOND = 1_000_000;

/** Streams that were ended, each by END_STREAM and then RST_STREAM(NO_ERROR). */
function ended(frames: Frame[]): number[] {
  const streams: number[] = [];
  for (const [index, { type, stream, payload }] of frames.entries()) {
    if (type !== FrameType.RstStream) continue;
    assert.deepEqual([...payload], [0, 0, 0, 0]);
    const before = frames[index - 1];
    assert.deepEqual([before?.type, before?.flags, before?.stream], [FrameType.Data, END_STREAM, stream]);
    streams.push(stream);
  }
  return streams;
}
const statuses = (frames: Frame[]) => frames.filter(({ type }) => type === FrameType.Headers).length;
const answered = (frames: Frame[]) =>
  frames.filter(({ type, payload }) => type === FrameType.Data && payload.length > 0).map(({ stream }) => stream);

describe("UDP sessions of the tunnel", () => {
  let lab: Lab;
  beforeEach(async function () {
    this.timeout(120_000);
    lab = await Lab.open();
    lab.greeted();
  });

  const open = (stream: number, source = `10.${stream >> 16}.${(stream >> 8) & 255}.${stream & 255}:53`) =>
    lab.send(request(stream, source));
  const ask = (stream: number) => lab.send(datagram(stream, "query"));

  it("linger for a second after the last answer", () => {
    open(1);
    ask(1);
    lab.take();
    assert.deepEqual(ended(lab.pass(0.9 * SECOND)), []);
    ask(1);
    assert.deepEqual(ended(lab.pass(0.9 * SECOND)), []);
    assert.deepEqual(ended(lab.pass(0.1 * SECOND)), [1]);
    ask(1);
    assert.equal(lab.take().length, 0, "what comes too late is ignored");
    assert.equal(lab.counters.lingered, 1);
  });

  it("stay as long as they wait for an answer", () => {
    lab.mode(Mode.Hold);
    open(1);
    ask(1);
    ask(1);
    lab.take();
    assert.deepEqual(ended(lab.pass(30 * SECOND)), []);
    assert.equal(lab.call("answerHeld"), 2);
    assert.deepEqual(answered(lab.frames()), [1, 1]);
    assert.deepEqual(ended(lab.pass(0.9 * SECOND)), []);
    assert.deepEqual(ended(lab.pass(0.1 * SECOND)), [1]);
  });

  it("linger when a query was dropped, and when none came", () => {
    lab.mode(Mode.Drop);
    open(1);
    open(3);
    ask(1);
    lab.take();
    assert.deepEqual(ended(lab.pass(SECOND)).sort(), [1, 3]);
  });

  it("end in the order of their last answer", () => {
    for (const stream of [1, 3, 5]) open(stream);
    for (const stream of [5, 1, 3, 1]) {
      ask(stream);
      lab.pass(1000);
    }
    assert.deepEqual(ended(lab.pass(2 * SECOND)), [5, 3, 1]);
  });

  it("are over when Envoy resets or ends them, and late answers go nowhere", () => {
    lab.mode(Mode.Hold);
    for (const stream of [1, 3]) {
      open(stream);
      ask(stream);
    }
    lab.send(Buffer.concat([frame(FrameType.RstStream, 0, 1, u32(8)), frame(FrameType.Data, END_STREAM, 3)]));
    const end = lab.frames().at(-1);
    assert.deepEqual([end?.type, end?.flags, end?.stream], [FrameType.Data, END_STREAM, 3], "ended on both sides");
    assert.equal(lab.call("answerHeld"), 2);
    assert.equal(lab.take().length, 0);
    assert.equal(lab.counters.ended, 2);
    assert.equal(lab.counters.late, 2);
  });

  it("answer the query that came with the end", () => {
    open(1);
    const last = Buffer.from(datagram(1, "query"));
    last[4] = END_STREAM;
    lab.send(last);
    const frames = lab.frames();
    assert.deepEqual(answered(frames), [1]);
    assert.deepEqual([frames.at(-1)?.flags, lab.counters.ended], [END_STREAM, 1]);
  });

  it("are at most so many of one address: the oldest that waits for nothing ends", () => {
    lab.limits({ perSource: 4 });
    for (let stream = 1; stream <= 15; stream += 2) {
      open(stream, `192.0.2.1:${stream}`);
      ask(stream);
    }
    assert.deepEqual(ended(lab.frames()), [1, 3, 5, 7]);
    open(17, "192.0.2.2:1");
    assert.deepEqual(ended(lab.frames()), [], "another address");
  });

  it("are four times as many of one address while all of them wait", () => {
    lab.limits({ perSource: 4 });
    lab.mode(Mode.Hold);
    for (let stream = 1; stream <= 31; stream += 2) {
      open(stream, `192.0.2.1:${stream}`);
      ask(stream);
    }
    assert.deepEqual(ended(lab.frames()), []);
    open(33, "192.0.2.1:33");
    assert.deepEqual(ended(lab.frames()), [1]);
    assert.equal(lab.counters.evicted, 1);
    lab.call("answerHeld");
    lab.mode(Mode.Answer);
    lab.take();
    open(35, "192.0.2.1:35");
    assert.deepEqual(ended(lab.frames()), [3, 5], "and fewer again when they are answered");
  });

  it("answer 200 new ports that are the first packets", () => {
    const streams = Array.from({ length: 200 }, (_, index) => 1 + 2 * index);
    // Envoy opens all streams first, and sends datagrams when it has their response headers.
    lab.send(Buffer.concat(streams.map((stream) => request(stream, `127.0.0.1:${stream}`))));
    const opened = lab.frames();
    assert.equal(statuses(opened), 200);
    assert.deepEqual(ended(opened), []);
    lab.send(Buffer.concat(streams.map((stream) => datagram(stream, "query"))));
    assert.deepEqual(answered(lab.frames()), streams);
  });

  it("linger their time when they were asked more than once, however many others come", () => {
    lab.limits({ sessions: 320, perSource: 320 });
    open(1);
    ask(1);
    ask(1);
    for (let stream = 3; stream < 400; stream += 2) {
      open(stream);
      ask(stream);
    }
    const gone = ended(lab.frames());
    assert.ok(gone.includes(3) && !gone.includes(1));
    assert.ok(ended(lab.pass(1.1 * SECOND)).includes(1));
  });

  it("linger up to 64 at a time, whoever lingered longest ends first", () => {
    lab.limits({ sessions: 320, perSource: 320 });
    for (let stream = 1; stream < 160; stream += 2) {
      open(stream);
      ask(stream);
    }
    assert.deepEqual(ended(lab.frames()), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31]);
    assert.equal(ended(lab.pass(0.5 * SECOND)).length, 0);
    assert.equal(ended(lab.pass(SECOND)).length, 64);
  });

  it("end while they wait only with more than half of all in use, the oldest first", () => {
    lab.limits({ sessions: 100, perSource: 100 });
    lab.mode(Mode.Hold);
    for (let stream = 1; stream < 120; stream += 2) {
      open(stream);
      ask(stream);
    }
    lab.take();
    const streams = ended(lab.pass(1000));
    assert.deepEqual(streams, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    assert.equal(lab.counters.evicted, 10);
    assert.deepEqual(ended(lab.pass(SECOND)), []);
  });

  it("are never more than the limit", () => {
    lab.limits({ sessions: 100, perSource: 100 });
    for (let stream = 1; stream < 1000; stream += 2) open(stream);
    assert.equal(ended(lab.frames()).length, 400);
    assert.equal(lab.counters.opened, 500);
  });

  it("are bounded work a tick", () => {
    lab.limits({ sessions: 10_000, perSource: 10_000 });
    for (let stream = 1; stream < 10_000; stream += 2) open(stream);
    lab.take();
    const counts = [SECOND, 0, 0, 0].map((time) => ended(lab.pass(time)).length);
    assert.deepEqual(counts, [2048, 2048, 904, 0]);
  });

  it("take no memory once there were as many", () => {
    lab.limits({ sessions: 2000, perSource: 64 });
    let stream = 1;
    const round = () => {
      for (let count = 0; count < 1500; count++, stream += 2) {
        open(stream, `10.0.${count % 250}.${stream % 200}:9`);
        ask(stream);
      }
      lab.take();
      lab.pass(2 * SECOND);
    };
    round();
    round();
    const before = lab.memorySize;
    for (let times = 0; times < 30; times++) round();
    assert.equal(lab.memorySize, before);
  }).timeout(60_000);

  it("are found by their stream among many, whichever have ended", () => {
    lab.limits({ sessions: 40_000, perSource: 40_000 });
    const alive = new Set<number>();
    for (let stream = 1; stream < 60_000; stream += 2) {
      open(stream);
      alive.add(stream);
      if (stream % 3 === 0) {
        lab.send(frame(FrameType.RstStream, 0, stream, u32(8)));
        alive.delete(stream);
      }
    }
    lab.send(frame(FrameType.WindowUpdate, 0, 0, u32(1 << 24)));
    lab.take();
    for (let stream = 1; stream < 60_000; stream += 2) ask(stream);
    assert.deepEqual(answered(lab.frames()), [...alive]);
  }).timeout(60_000);
});
