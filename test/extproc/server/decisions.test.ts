import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { encode } from "dns-packet";
import type { Snapshot } from "../../../extproc/compiled/snapshot.ts";
import type { Verdict__Output } from "../../../extproc/gen/types/dns/mesh/v1/Verdict.ts";
import type { HeaderValue } from "../../../extproc/gen/types/envoy/config/core/v3/HeaderValue.ts";
import { toNumber } from "../../../extproc/messages/long.ts";
import { messageType } from "../../../extproc/messages/protos.ts";
import { Harness, until } from "./harness.ts";
import { bearer, DecisionPeer } from "./peers.ts";

const verdictType = messageType<never, Verdict__Output>("dns.mesh.v1.Verdict");

function message(name: string, type: "A" | "AAAA" = "A"): Buffer {
  return encode({ type: "query", id: 1, flags: 0x100, questions: [{ type, name }] });
}

function headers(changes: Readonly<Record<string, string | undefined>> = {}, dns = message("www.example.com")) {
  const all: Record<string, string | undefined> = {
    ":method": "GET",
    ":path": `/dns-query?dns=${dns.toString("base64url")}`,
    "x-dns-client": "127.0.1.1",
    "x-dns-listener": "udp",
    "x-dns-transport": "udp",
    ...changes,
  };
  return Object.entries(all).flatMap(([key, value]): HeaderValue[] =>
    value === undefined ? [] : [{ key, raw_value: Buffer.from(value) }],
  );
}

describe("decisions", () => {
  let harness: Harness;
  afterEach(() => harness.stop());

  it("answers with a Verdict, once", async () => {
    harness = await Harness.start();
    const { response, answers, code } = await DecisionPeer.ask(harness.client(), headers());
    assert.equal(code, status.OK);
    assert.equal(answers, 1);
    assert.equal(response?.status?.code, 200);
    const header = response.headers?.set_headers[0]?.header;
    assert.equal(header?.key, "content-type");
    assert.equal(header.raw_value.toString(), "application/x-protobuf");
    const verdict = verdictType.decode(response.body);
    assert.equal(toNumber(verdict.revision), 1);
    assert.equal(verdict.client?.tenant, "frontend");
    assert.equal(verdict.deny?.rcode, 3);
    assert.equal(verdict.policy, "no-com");
    assert.equal(verdict.rule, "deny-com");
  });

  it("reads values of older Envoys, too", async () => {
    harness = await Harness.start();
    const text = headers().map(({ key, raw_value }) => ({ key: key ?? "", value: String(raw_value) }));
    const { response } = await DecisionPeer.ask(harness.client(), text);
    assert.equal(response?.status?.code, 200);
  });

  it("forwards what no rule denies, and decides for the evidence that it is given", async () => {
    harness = await Harness.start();
    const org = headers({}, message("www.example.org"));
    const forwarded = await DecisionPeer.ask(harness.client(), org);
    const verdict = verdictType.decode(forwarded.response?.body ?? Buffer.alloc(0));
    assert.equal(verdict.action, "forward");
    assert.equal(verdict.forward?.upstream, 1);
    const other = await DecisionPeer.ask(harness.client(), headers({ "x-dns-client": "2001:db8::1" }));
    assert.equal(verdictType.decode(other.response?.body ?? Buffer.alloc(0)).deny?.rcode, 5);
    const fixed = headers({ "x-dns-client": "192.0.2.1", "x-dns-tenant": "frontend" });
    const sidecar = await DecisionPeer.ask(harness.client(), fixed);
    assert.equal(verdictType.decode(sidecar.response?.body ?? Buffer.alloc(0)).client?.tenant, "frontend");
  });

  const compressed = Buffer.concat([message("a").subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])]);
  const endless = Buffer.concat([message("a").subarray(0, 12), Buffer.alloc(300, Buffer.from([1, 0x61]))]);
  const chaos = message("a");
  chaos.writeUInt16BE(3, chaos.length - 2);
  const response = message("a");
  response.writeUInt8(0x80, 2);
  const two = message("a");
  two.writeUInt16BE(2, 4);
  const malformed: Record<string, HeaderValue[]> = {
    "no path": headers({ ":path": undefined }),
    "another path": headers({ ":path": "/" }),
    "no message": headers({ ":path": "/dns-query?dns=" }),
    "no base64url": headers({ ":path": "/dns-query?dns=a+b/" }),
    "a short message": headers({}, message("a").subarray(0, 11)),
    "a message that ends in its name": headers({}, message("www.example.com").subarray(0, 20)),
    "a message that ends in its question": headers({}, message("a").subarray(0, 17)),
    "a compressed name": headers({}, compressed),
    "a name that is too long": headers({}, endless),
    "another class": headers({}, chaos),
    "a response": headers({}, response),
    "two questions": headers({}, two),
    "no client": headers({ "x-dns-client": undefined }),
    "no address": headers({ "x-dns-client": "127.0.1.1:53" }),
    "no listener": headers({ "x-dns-listener": undefined }),
    "no transport": headers({ "x-dns-transport": undefined }),
    "another transport": headers({ "x-dns-transport": "quic" }),
    "two clients": [...headers(), { key: "x-dns-client", raw_value: Buffer.from("127.0.2.1") }],
  };
  for (const [what, list] of Object.entries(malformed)) {
    it(`is no Verdict, but 400, for ${what}`, async () => {
      harness = await Harness.start();
      const answer = await DecisionPeer.ask(harness.client(), list);
      assert.equal(answer.response?.status?.code, 400);
      assert.equal(answer.response.headers?.set_headers[0]?.header?.raw_value.toString(), "text/plain");
      assert.match(answer.response.body.toString(), /^expected /);
    });
  }

  it("is 400 for a message without request headers", async () => {
    harness = await Harness.start();
    const peer = new DecisionPeer(harness.client());
    peer.send({ request_body: { body: Buffer.from("x"), end_of_stream: true } });
    await until(() => peer.received.length > 0, "an answer");
    assert.equal(peer.received[0]?.immediate_response?.status?.code, 400);
    peer.cancel();
  });

  it("is 500 when deciding fails, and goes on", async () => {
    let broken = true;
    harness = await Harness.start({
      decide: (snapshot: Snapshot) => {
        if (broken) throw new Error("a bug");
        return {
          revision: snapshot.sequence,
          client: {
            subject: 1,
            tenant: "",
            prefix: 0,
            log_all: false,
            unexplained: false,
            sample: 0,
            current_only: false,
            trace_context: false,
          },
          scope: { labels: 0, extent: 0, except: [], types: [], types_excluded: false, transports: 0, lifetime_ms: 0 },
          deny: { rcode: 5, ede_code: 0, ede_text: "", ttl: 0, soa_labels: 0, form: 0, records: [] },
          policy: "",
          rule: "",
          audits: [],
          delays: [],
          ttl_min: 0,
          ttl_max: 0,
          strip: false,
          alternatives: [],
        };
      },
    });
    const failed = await DecisionPeer.ask(harness.client(), headers());
    assert.equal(failed.response?.status?.code, 500);
    assert.doesNotMatch(failed.response.body.toString(), /bug/);
    assert.equal(harness.errors.length, 1);
    broken = false;
    assert.equal((await DecisionPeer.ask(harness.client(), headers())).response?.status?.code, 200);
  });

  it("asks for the token where there is one", async () => {
    harness = await Harness.start({ token: "secret" });
    assert.equal((await DecisionPeer.ask(harness.client(), headers())).code, status.UNAUTHENTICATED);
    assert.equal((await DecisionPeer.ask(harness.client(), headers(), bearer("other"))).code, status.UNAUTHENTICATED);
    const admitted = await DecisionPeer.ask(harness.client(), headers(), bearer("secret"));
    assert.equal(admitted.response?.status?.code, 200);
  });

  it("serves a thousand streams of one connection", async () => {
    harness = await Harness.start();
    const client = harness.client();
    const names = Array.from({ length: 1000 }, (_, index) => message(`n${index}.example.org`));
    const answers = await Promise.all(names.map((name) => DecisionPeer.ask(client, headers({}, name))));
    assert.ok(answers.every(({ response: each }) => each?.status?.code === 200));
  });
});
