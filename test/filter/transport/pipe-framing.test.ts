/** The pipe on the fake host: gRPC frames become DNS over TCP, and back, however they are split and joined. */
import { strict as assert } from "node:assert";
import { headerOf } from "../../host/callouts.ts";
import { SeededRandom } from "../../host/clock.ts";
import { decodeGrpc, decodeTcp, encodeGrpc, encodeTcp } from "../../host/framing.ts";
import { Host } from "../../host/host.ts";
import type { HttpStream } from "../../host/http-stream.ts";
import { filterWasm } from "../../host/wasm.ts";

const CHUNKS = [1, 2, 7, 1000, 1 << 22];

describe("pipe framing", () => {
  let host: Host;
  let pipe: HttpStream;
  beforeEach(async () => {
    host = await Host.load(filterWasm, {
      vmConfiguration: "node=test\nconcurrency=1",
      plugins: [{ name: "pipe", configuration: "role=pipe\nlistener=dns_pipe", allowOnHeadersStopIteration: true }],
    });
    pipe = open();
  });
  const open = () =>
    host.request("pipe", [
      [":method", "POST"],
      [":path", "/dns/pipe"],
      ["content-type", "application/grpc"],
      ["x-dns-cluster", "up/a"],
    ]);
  const respond = () => pipe.respond([[":status", "200"]]);

  const queries = (bytes: Uint8Array, chunk = bytes.length): Buffer[] => {
    for (let at = 0; at < bytes.length; at += chunk) pipe.sendBody(bytes.subarray(at, at + chunk));
    return decodeTcp(pipe.takeForwarded().body).map((message) => Buffer.from(message));
  };
  const answers = (bytes: Uint8Array, chunk = bytes.length): Buffer[] => {
    for (let at = 0; at < bytes.length; at += chunk) pipe.respondBody(bytes.subarray(at, at + chunk));
    return decodeGrpc(pipe.takeResponse().body).map((message) => Buffer.from(message));
  };
  const messages = (seed: number, count: number, size = 600) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: count }, () => Buffer.from(random.bytes(12 + random.below(size))));
  };

  it("lets the request's headers through, and answers as gRPC", () => {
    assert.equal(headerOf(pipe.takeForwarded().headers ?? [], "x-dns-cluster"), "up/a");
    respond();
    const { status, headers } = pipe.takeResponse();
    assert.equal(status, 200);
    assert.equal(headerOf(headers, "content-type"), "application/grpc");
  });

  for (const chunk of CHUNKS) {
    it(`turns queries in pieces of ${chunk} octets`, () => {
      const all = messages(chunk, 40);
      assert.deepEqual(queries(encodeGrpc(...all), chunk), all);
    });

    it(`turns answers in pieces of ${chunk} octets`, () => {
      respond();
      const all = messages(chunk, 40);
      assert.deepEqual(answers(encodeTcp(...all), chunk), all);
    });
  }

  it("turns the largest and the smallest messages", () => {
    respond();
    const all = [Buffer.alloc(65_535, 1), Buffer.of(), Buffer.of(7), Buffer.alloc(65_535, 2)];
    for (const chunk of [1000, 65_536, 1 << 20]) {
      assert.deepEqual(queries(encodeGrpc(...all), chunk), all);
      assert.deepEqual(answers(encodeTcp(...all), chunk), all);
    }
  });

  it("turns as much as comes at a time, and loses nothing", () => {
    respond();
    const many = Array.from({ length: 1000 }, (_, index) => Buffer.alloc(900, index));
    assert.deepEqual(queries(encodeGrpc(...many)), many);
    assert.deepEqual(answers(encodeTcp(...many)), many);
    // The frames' heads make more of them than came: messages of one octet.
    const small = Array.from({ length: 20_000 }, (_, index) => Buffer.of(index & 255));
    assert.deepEqual(answers(encodeTcp(...small)), small);
  });

  it("passes a message on as soon as it is whole, and nothing before", () => {
    respond();
    const [first, second] = [Buffer.alloc(20, 1), Buffer.alloc(30, 2)];
    const both = encodeGrpc(first, second);
    assert.deepEqual(queries(both.subarray(0, 24)), []);
    assert.deepEqual(queries(both.subarray(24, 26)), [first]);
    assert.deepEqual(queries(both.subarray(26)), [second]);
    const back = encodeTcp(first, second);
    assert.deepEqual(answers(back.subarray(0, 1)), []);
    assert.deepEqual(answers(back.subarray(1, 23)), [first]);
    assert.deepEqual(answers(back.subarray(23)), [second]);
  });

  it("keeps both directions, and all pipes, apart", () => {
    respond();
    const [asked, answered] = [messages(1, 30), messages(2, 30)];
    const [to, from] = [encodeGrpc(...asked), encodeTcp(...answered)];
    const other = open();
    const others: Buffer[] = [];
    const [gotQueries, gotAnswers]: [Buffer[], Buffer[]] = [[], []];
    const random = new SeededRandom(3);
    let [sent, received] = [0, 0];
    while (sent < to.length || received < from.length) {
      const [more, back] = [1 + random.below(300), 1 + random.below(300)];
      if (sent < to.length) {
        gotQueries.push(...queries(to.subarray(sent, sent + more)));
        other.sendBody(to.subarray(sent, sent + more));
        others.push(...decodeTcp(other.takeForwarded().body).map((message) => Buffer.from(message)));
      }
      if (received < from.length) gotAnswers.push(...answers(from.subarray(received, received + back)));
      sent += more;
      received += back;
    }
    assert.deepEqual(gotQueries, asked);
    assert.deepEqual(gotAnswers, answered);
    assert.deepEqual(others, asked);
  });

  it("leaves nothing of a pipe that ends in the middle of a frame", () => {
    for (let times = 0; times < 300; times++) {
      const each = open();
      each.sendBody(encodeGrpc(Buffer.alloc(60_000)).subarray(0, 50_000));
      each.reset();
    }
    pipe.reset();
    assert.equal(host.liveContexts, 0);
    pipe = open();
    respond();
    const all = messages(5, 3);
    assert.deepEqual(queries(encodeGrpc(...all)), all);
  });
});
