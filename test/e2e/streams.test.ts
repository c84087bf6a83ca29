/**
 * DNS over TCP and TLS as connections: pipelining, order, pieces, ends (RFC 7766, RFC 7858).
 */
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { within } from "./clients/deadline.ts";
import { frame, StreamClient } from "./clients/stream.ts";
import { describeAnswer, encodeQuestion } from "./dns.ts";
import { Stack } from "./stack.ts";

const policy = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: everybody}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}`;

describe("connections", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    const zone = "www.example.org 300 A 192.0.2.1\n*.slow.example.org 300 A 192.0.2.2\nready.test 300 A 192.0.2.9";
    stack = await Stack.start({ policy, upstreams: { public: { zone } } });
  });
  after(() => stack.stop());
  beforeEach(() => {
    const upstream = stack.upstream();
    upstream.asked.length = 0;
    upstream.script = (asked) => ({
      ...upstream.truth(asked),
      ...(asked.name.endsWith(".slow.example.org") ? { delayMs: 300 } : {}),
    });
  });

  for (const transport of ["tcp", "dot"] as const) {
    describe(transport, () => {
      it("answers pipelined questions, and late ones late", async () => {
        const client = await stack.ask[transport]();
        const questions = [
          encodeQuestion(`${transport}.slow.example.org`, { id: 100 }),
          ...Array.from({ length: 20 }, (_, index) => encodeQuestion("www.example.org", { id: index + 1 })),
        ];
        const answers = await client.askAll(questions);
        assert.equal(answers[0]?.answers[0]?.data, "192.0.2.2");
        assert.ok(answers.slice(1).every((answer) => answer.answers[0]?.data === "192.0.2.1"));
        assert.equal(client.order.at(-1), 100, "the slow answer comes last");
        client.close();
      });

      it("takes questions in pieces of any size", async () => {
        const client = await stack.ask[transport]();
        const bytes = frame(encodeQuestion("www.example.org", { id: 1 }), encodeQuestion("www.example.org", { id: 2 }));
        const answers = [client.answerTo(1), client.answerTo(2)];
        for (const octet of bytes) {
          client.write(Buffer.from([octet]));
          await new Promise((resolve) => setImmediate(resolve));
        }
        for (const answer of await Promise.all(answers))
          assert.equal(describeAnswer(answer), "NOERROR; www.example.org A 192.0.2.1");
        client.close();
      });

      it("echoes the question's case and id", async () => {
        const client = await stack.ask[transport]();
        const answer = await client.ask(encodeQuestion("wWw.eXample.oRg", { id: 0xabcd }));
        assert.equal(answer.id, 0xabcd);
        assert.equal(answer.question?.name, "wWw.eXample.oRg");
        client.close();
      });

      it("ends a connection on which nothing is asked", async () => {
        const client = await stack.ask[transport]();
        await client.ask(encodeQuestion("www.example.org"));
        await within(14_000, "the end of an idle connection", client.closed);
      });

      it("ends a connection on which a question is begun and not ended", async () => {
        const client = await stack.ask[transport]();
        client.write(Buffer.from([0, 30, 1, 2, 3]));
        await within(5000, "the end of a connection that is read too slowly", client.closed);
      });
    });
  }

  it("ends a connection on which no handshake comes to its end", async () => {
    const hello = await clientHello();
    const ends: Promise<void>[] = [];
    for (const port of ["dot", "doh"] as const) {
      for (const begun of [Buffer.alloc(0), hello.subarray(0, hello.length >> 1), hello]) {
        const { socket, closed } = await StreamClient.open(stack.ask.at(port), { from: stack.ask.from("backend") });
        socket.write(begun);
        ends.push(within(7000, `the end of a connection to ${port} after ${begun.length} octets`, closed));
      }
    }
    await Promise.all(ends);
  });

  it("loses what is still to be answered when a TCP client has ended its side: a known limit", async () => {
    const client = await stack.ask.tcp("frontend", true);
    const answer = client.answerTo(7, 2000);
    client.socket.end(frame(encodeQuestion("half.slow.example.org", { id: 7 })));
    await assert.rejects(answer, /ended before/);
  });

  it("answers a TCP client that ends its side after it has its answers", async () => {
    const client = await stack.ask.tcp("frontend", true);
    await client.ask(encodeQuestion("www.example.org"));
    client.socket.end();
    await within(3000, "the end of the connection", client.closed);
  });

  it("takes more than 20 connections of one client for too many", async () => {
    const clients = [];
    let refused = 0;
    for (let index = 0; index < 22; index++) {
      const client = await stack.ask.tcp("platform");
      clients.push(client);
      await client.ask(encodeQuestion("www.example.org"), 2000).catch(() => refused++);
    }
    for (const client of clients) client.close();
    assert.equal(refused, 2);
  });
});

describe("connections that grow old", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    const zone = "www.example.org 300 A 192.0.2.1";
    stack = await Stack.start({ policy, upstreams: { public: { zone } }, settings: { stream_lifetime_seconds: 1 } });
  });
  after(() => stack.stop());

  for (const transport of ["tcp", "dot"] as const) {
    it(`are ended between two answers: ${transport}`, async () => {
      const started = Date.now();
      const client = await stack.ask[transport]();
      let isOpen = true;
      const closed = client.closed.then(() => {
        isOpen = false;
      });
      let answered = 0;
      while (isOpen && Date.now() - started < 5000) {
        const asked = client.ask(encodeQuestion("www.example.org", { id: answered + 1 }));
        await Promise.race([closed, asked.then(() => answered++)]).catch((error) => assert.equal(isOpen, false, error));
      }
      const age = Date.now() - started;
      assert.ok(age >= 1000 && age < 3000, `expected the end after one second or little more, got ${age} ms`);
      assert.ok(answered > 10, `expected many answers until then, got ${answered}`);
    });
  }
});

/** What a TLS client says first. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connectTls({ host: "127.0.0.1", port, servername: "dns.example", ALPNProtocols: ["dot", "h2"] });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  const [octets] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  server.close();
  return octets;
}
