/** UDP sessions: how they are kept, how they end, and who has how many. */
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

  /** Streams that were told nothing, for udp_proxy to see that they live: a capsule of a type that says nothing. */
  const kept = (frames: Frame[]): number[] =>
    frames
      .filter(({ type, payload }) => type === FrameType.Data && payload.length === 2 && payload[0] === 0x17)
      .map(({ stream }) => stream);

  it("are Envoy's to end: nothing is said to those that wait for nothing", () => {
    open(1);
    open(3);
    ask(1);
    lab.take();
    assert.deepEqual(lab.pass(3600 * SECOND), []);
    ask(1);
    assert.deepEqual(answered(lab.frames()), [1]);
  });

  it("are kept while they wait for an answer", () => {
    lab.mode(Mode.Hold);
    for (const stream of [1, 3, 5]) open(stream);
    ask(1);
    ask(1);
    lab.take();
    lab.pass(100_000);
    ask(3);
    assert.deepEqual(kept(lab.frames()), []);
    assert.deepEqual(kept(lab.pass(50_000)), [1]);
    assert.deepEqual(kept(lab.pass(50_000)), []);
    assert.deepEqual(kept(lab.pass(50_000)), [3]);
    assert.deepEqual(kept(lab.pass(50_000)), [1]);
    assert.deepEqual(kept(lab.pass(3 * SECOND)), [3, 1]);
    assert.equal(lab.call("answerHeld"), 3);
    assert.deepEqual(answered(lab.frames()), [1, 1, 3]);
    assert.deepEqual(kept(lab.pass(3 * SECOND)), []);
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
    assert.equal(lab.counters.lingered, 4);
  });

  it("are at most so many of one address, the oldest ends where all of them wait", () => {
    lab.limits({ perSource: 4 });
    lab.mode(Mode.Hold);
    for (let stream = 1; stream <= 7; stream += 2) {
      open(stream, `192.0.2.1:${stream}`);
      ask(stream);
    }
    assert.deepEqual(ended(lab.frames()), []);
    open(9, "192.0.2.1:9");
    assert.deepEqual(ended(lab.frames()), [1]);
    assert.equal(lab.counters.evicted, 1);
  });

  it("answer 200 new ports that are the first packets", () => {
    lab.limits({ perSource: 5000 });
    const streams = Array.from({ length: 200 }, (_, index) => 1 + 2 * index);
    // Envoy opens all streams first, and sends datagrams when it has their response headers.
    lab.send(Buffer.concat(streams.map((stream) => request(stream, `127.0.0.1:${stream}`))));
    const opened = lab.frames();
    assert.equal(statuses(opened), 200);
    assert.deepEqual(ended(opened), []);
    lab.send(Buffer.concat(streams.map((stream) => datagram(stream, "query"))));
    assert.deepEqual(answered(lab.frames()), streams);
  });

  it("are idle up to a tenth of all, whoever has been for longest ends first; those that were asked twice stay", () => {
    lab.limits({ sessions: 640, perSource: 640 });
    open(1);
    ask(1);
    ask(1);
    for (let stream = 3; stream < 160; stream += 2) {
      open(stream);
      ask(stream);
    }
    assert.deepEqual(ended(lab.frames()), [3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31]);
    assert.deepEqual(ended(lab.pass(SECOND)), []);
  });

  /** Opens so many, each asked once, or twice; those of `life` ago end as Envoy ends them. Streams that the filter ended. */
  const pass = (first: number, count: number, times: number, life = 3000): number[] => {
    const gone: number[] = [];
    for (let stream = first; stream < first + 2 * count; stream += 2) {
      open(stream);
      for (let time = 0; time < times; time++) ask(stream);
      const old = stream - 2 * life;
      if (old > 0) lab.send(frame(FrameType.RstStream, 0, old, u32(8)));
      gone.push(...ended(lab.frames()));
    }
    return gone;
  };

  it("are few of one query until clients come back, and as many as there is room for where all do", () => {
    lab.limits({ sessions: 50_000, perSource: 50_000 });
    const gone = pass(1, 3000, 1);
    // All but one in 128 go when 512 others have come, and the samples among those.
    assert.equal(gone.at(-1), 6001 - 2 * (512 + 4 + 1));
    const last = gone.slice(-1270);
    assert.equal(last.length + 10, ((last.at(-1) ?? 0) - (last[0] ?? 0)) / 2 + 1);
    pass(6001, 9000, 2);
    assert.deepEqual(pass(24_001, 2000, 1), [], "room");
    pass(28_001, 10_000, 1);
    assert.equal(pass(48_001, 100, 1).at(-1), 48_201 - 2 * (512 + 4 + 1), "none again");
  });

  describe("of a source that asks once from each port, 2,000 times a second", () => {
    const source = (stream: number) => `192.0.2.1:${stream % 50_000}`;
    let next = 1;
    /** So many sessions of one query; the streams that ended with their answers. Envoy ends others after half a second. */
    const asks = (count: number): number[] => {
      const gone: number[] = [];
      for (const last = next + 2 * count; next < last; next += 2) {
        open(next, source(next));
        ask(next);
        if (ended(lab.frames()).includes(next)) gone.push(next);
        if (next > 2000) lab.send(frame(FrameType.RstStream, 0, next - 2000, u32(8)));
        lab.pass(500);
      }
      return gone;
    };
    beforeEach(() => {
      lab.limits({ sessions: 50_000, perSource: 50_000 });
      next = 1;
      assert.deepEqual(asks(2000), [], "nobody knows yet");
      asks(500);
    });

    it("end with their answers, but for samples", () => {
      const count = asks(1280).length;
      assert.equal(count, 1270);
    });

    it("end with answers that come later", () => {
      lab.mode(Mode.Hold);
      open(next, source(next));
      ask(next);
      lab.take();
      lab.call("answerHeld");
      const frames = lab.frames();
      assert.deepEqual([answered(frames), ended(frames)], [[next], [next]]);
    });

    it("answer two queries at a time, and linger from then on", () => {
      open(next, source(next));
      lab.send(Buffer.concat([datagram(next, "A"), datagram(next, "AAAA")]));
      const frames = lab.frames();
      assert.deepEqual([answered(frames), ended(frames)], [[next, next], []]);
      next += 2;
      assert.deepEqual(asks(800), []);
    });

    it("linger from then on when a query came too late", () => {
      const gone = asks(2).at(-1) ?? 0;
      lab.send(datagram(gone, "AAAA"));
      assert.deepEqual(lab.frames(), []);
      assert.deepEqual(asks(800), []);
    });

    it("linger for a part of a second query that has come", () => {
      open(next, source(next));
      const second = datagram(next, "AAAA");
      const part = Buffer.from(second.subarray(0, second.length - 1));
      part.writeUIntBE(part.length - 9, 0, 3);
      lab.send(Buffer.concat([datagram(next, "A"), part]));
      assert.deepEqual(ended(lab.frames()), []);
      lab.send(frame(FrameType.Data, 0, next, second.subarray(-1)));
      assert.deepEqual(answered(lab.frames()), [next]);
    });

    it("linger where fewer come, and those of others", () => {
      open(99_999, "192.0.2.2:1");
      ask(99_999);
      assert.deepEqual(ended(lab.frames()), [], "another source");
      next = 100_001;
      lab.pass(SECOND);
      assert.deepEqual(asks(20), []);
    });

    it("linger where those of samples come back", () => {
      for (let round = 0; round < 16; round++) {
        for (let count = 0; count < 128; count++, next += 2) {
          open(next, source(next));
          ask(next);
          lab.pass(500);
          // Asks that reach none but the sample: others have ended.
          if (!ended(lab.frames()).includes(next)) ask(next);
        }
      }
      lab.take();
      assert.deepEqual(asks(100), []);
    });
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
    assert.equal(kept(lab.pass(SECOND)).length, 50);
  });

  it("are never more than the limit", () => {
    lab.limits({ sessions: 100, perSource: 100 });
    for (let stream = 1; stream < 1000; stream += 2) open(stream);
    assert.equal(ended(lab.frames()).length, 400);
    assert.equal(lab.counters.opened, 500);
  });

  it("are bounded work a tick", () => {
    lab.limits({ sessions: 100_000, perSource: 100_000 });
    lab.mode(Mode.Hold);
    for (let stream = 1; stream < 20_000; stream += 2) {
      open(stream);
      ask(stream);
    }
    lab.take();
    const counts = [SECOND, 0, 0, 0].map((time) => kept(lab.pass(time)).length);
    assert.deepEqual(counts, [4096, 4096, 1808, 0]);
  });

  it("take no memory once there were as many", () => {
    lab.limits({ sessions: 2000, perSource: 64 });
    let stream = 1;
    const round = () => {
      for (let count = 0; count < 1500; count++, stream += 2) {
        open(stream, `10.0.${count % 250}.${stream % 200}:9`);
        ask(stream);
      }
      // Envoy ends what was idle for long.
      for (let old = Math.max(1, stream - 2 * 3000); old < stream - 2 * 1500; old += 2)
        lab.send(frame(FrameType.RstStream, 0, old, u32(8)));
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
