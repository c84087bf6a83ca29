/**
 * What an upstream server sees of a query: our question, and nothing of the client that asked. And what is believed of
 * its answer.
 */
import { strict as assert } from "node:assert";
import packet from "dns-packet";
import { DNS_MESSAGE } from "./clients/doh.ts";
import { encodeQuestion, FLAGS, type QuestionOptions } from "./dns.ts";
import { encodeReply, parseRecord } from "./records.ts";
import { Stack, type StackOptions } from "./stack.ts";
import type { Asked } from "./upstream.ts";

const policy = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: everybody}
spec:
  match: [{cidrs: ["127.0.0.0/8"]}]
  upstream: https
  forward: [{zones: [tls.example], upstream: tls}, {zones: [tcp.example], upstream: tcp}]`;
const zone = "*.example 300 A 192.0.2.1\nready.test 300 A 192.0.2.9";
const upstreams: StackOptions["upstreams"] = {
  https: { protocol: "DoH", zone },
  tls: { protocol: "DoT", zone },
  tcp: { protocol: "TCP", zone },
};

const PADDING = 12;

interface OptOption {
  code: number;
  data: Buffer;
}

/** Options by which a client could be told: subnet, cookie, its server's name, and one for experiments. */
const OPTIONS = [
  { code: 8, data: Buffer.from([0, 1, 24, 0, 127, 0, 1]) },
  { code: 10, data: Buffer.from("0123456789abcdef", "hex") },
  { code: 3, data: Buffer.alloc(0) },
  { code: 65001, data: Buffer.from("client") },
];
const SAYING_TOO_MUCH = {
  "user-agent": "Browser/1.0",
  "accept-language": "tlh",
  cookie: "session=1",
  referer: "https://client.example/",
  traceparent: "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
  "x-forwarded-for": "203.0.113.7",
  "x-request-id": "client",
  via: "1.1 client",
};

describe("an upstream server", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await Stack.start({ policy, upstreams });
  });
  after(() => stack.stop());

  /** A query with all of that, by UDP and by DoH, as it arrived. */
  async function arrived(upstream: string, zone: string): Promise<Asked[]> {
    const question = (prefix: string) =>
      encodeQuestion(`${prefix}.${zone}`, { flags: FLAGS.RD | FLAGS.AD, edns: 4096, padding: 40, options: OPTIONS });
    await stack.ask.udp(question("UdP"));
    const client = await stack.ask.doh();
    const request = { ":method": "POST", ":path": "/dns-query", "content-type": DNS_MESSAGE };
    await client.request({ ...request, ...SAYING_TOO_MUCH }, question("dOh"));
    await client.close();
    const asked = stack.upstream(upstream).asked.filter(({ name }) => name.endsWith(zone));
    const names = asked.map(({ name }) => name);
    assert.deepEqual(names, [`udp.${zone}`, `doh.${zone}`], "one query each, and no client's own spelling");
    return asked;
  }

  /** What encrypted upstreams are asked: RD, our EDNS, and padding to 128 octets (RFC 8467, section 4.1). */
  function checkMessage({ name, wire }: Asked): void {
    assert.equal(wire.length, 128);
    const { flags, questions, answers, authorities, additionals = [] } = packet.decode(wire);
    assert.deepEqual({ flags, questions }, { flags: FLAGS.RD, questions: [{ name, type: "A", class: "IN" }] });
    assert.deepEqual({ answers, authorities, count: additionals.length }, { answers: [], authorities: [], count: 1 });
    const opt = additionals[0] as unknown as { type: string; udpPayloadSize: number; options: OptOption[] };
    assert.deepEqual([opt.type, opt.udpPayloadSize], ["OPT", 1232]);
    assert.deepEqual(
      opt.options.map(({ code }) => code),
      [PADDING],
    );
    assert.ok(opt.options[0]?.data.every((octet) => octet === 0));
  }

  it("gets by HTTPS a request with these headers and no other", async () => {
    const port = stack.upstream("https").ports.doh;
    for (const asked of await arrived("https", "https.example")) {
      assert.deepEqual(Object.entries(asked.headers).sort(), [
        [":authority", `dns.upstream.example:${port}`],
        [":method", "POST"],
        [":path", "/dns-query"],
        [":scheme", "https"],
        ["accept", DNS_MESSAGE],
        ["content-length", "128"],
        ["content-type", DNS_MESSAGE],
      ]);
      checkMessage(asked);
      assert.equal(asked.query.id, 0, "equal questions are equal requests (RFC 8484, section 4.1)");
    }
  });

  it("gets by TLS the same message, with an id of ours", async () => {
    for (const asked of await arrived("tls", "tls.example")) checkMessage(asked);
  });

  it("is believed that an answer is authentic where nobody else can speak for it, and for who asks (RFC 6840, 5.7)", async () => {
    const authentic = async (zone: string, options: QuestionOptions): Promise<boolean> =>
      ((await stack.ask.udp(encodeQuestion(`ad.${zone}`, options))).flags & FLAGS.AD) !== 0;
    for (const upstream of ["https", "tls", "tcp"]) {
      const server = stack.upstream(upstream);
      server.script = ({ query, name }) => ({
        messages: [encodeReply(query, { flags: FLAGS.AD, answers: [parseRecord(`${name} 300 A 192.0.2.1`)] })],
      });
      const isTls = upstream !== "tcp";
      const zone = `${upstream}.example`;
      assert.equal(await authentic(zone, { flags: FLAGS.RD | FLAGS.AD }), isTls, `${upstream}, AD`);
      assert.equal(await authentic(zone, { dnssecOk: true }), isTls, `${upstream}, DO`);
      assert.equal(await authentic(zone, {}), false, `${upstream}, neither`);
    }
  });
});
