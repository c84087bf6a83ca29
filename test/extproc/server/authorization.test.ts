import assert from "node:assert/strict";
import { type Client as GrpcClient, Metadata, status } from "@grpc/grpc-js";
import { decide } from "../../../extproc/decide/decide.ts";
import type { CheckRequest } from "../../../extproc/gen/types/envoy/service/auth/v3/CheckRequest.ts";
import type { CheckResponse__Output } from "../../../extproc/gen/types/envoy/service/auth/v3/CheckResponse.ts";
import type { RateLimitRequest } from "../../../extproc/gen/types/envoy/service/ratelimit/v3/RateLimitRequest.ts";
import type { RateLimitResponse__Output } from "../../../extproc/gen/types/envoy/service/ratelimit/v3/RateLimitResponse.ts";
import { authorizationService } from "../../../extproc/server/authorization/authorization.ts";
import { Authorizer } from "../../../extproc/server/authorization/authorizer.ts";
import { rateLimitService } from "../../../extproc/server/authorization/rate-limit.ts";
import type { Clock } from "../../../extproc/server/clock.ts";
import type { QueryLog } from "../../../extproc/telemetry/query-log.ts";
import type { Connections, GrantedName, Telemetry } from "../../../extproc/telemetry/questions.ts";
import { batchOf, eventOf } from "../telemetry/events.ts";
import { Harness, until } from "./harness.ts";
import { bearer, WorkerPeer } from "./peers.ts";
import { DENY_COM, TENANT, upstream } from "./policies.ts";

const CLIENT = "127.0.1.1";
const ADDRESS = "192.0.2.1";

const settings = (connections: string) => `apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: {name: default}
spec: {connections: ${connections}}
`;
const policy = (connections: string, tenant = TENANT) =>
  [tenant, upstream(), DENY_COM, settings(connections)].join("---\n");

/** Code of rls.proto. */
const OK = 1;
const OVER_LIMIT = 2;

const peer = (address: string, port: number, principal = "") => ({
  address: { socket_address: { address, port_value: port } },
  principal,
});

interface From {
  readonly client?: string;
  readonly principal?: string;
  readonly to?: string;
  readonly metadata?: Metadata;
}

function check(client: GrpcClient, { client: from = CLIENT, principal, to = ADDRESS, metadata }: From = {}) {
  const { path, requestSerialize, responseDeserialize } = authorizationService.Check;
  const request: CheckRequest = { attributes: { source: peer(from, 4000, principal), destination: peer(to, 443) } };
  return new Promise<CheckResponse__Output>((resolve, reject) => {
    client.makeUnaryRequest<CheckRequest, CheckResponse__Output>(
      path,
      requestSerialize as (value: CheckRequest) => Buffer,
      responseDeserialize as (bytes: Buffer) => CheckResponse__Output,
      request,
      metadata ?? new Metadata(),
      (error, response) => (response === undefined ? reject(error) : resolve(response)),
    );
  });
}

/** The same question, as for a rate limit. */
function checkAtOnce(client: GrpcClient, entries: Readonly<Record<string, string>>) {
  const { path, requestSerialize, responseDeserialize } = rateLimitService.ShouldRateLimit;
  const descriptor = { entries: Object.entries(entries).map(([key, value]) => ({ key, value })) };
  return new Promise<RateLimitResponse__Output>((resolve, reject) => {
    client.makeUnaryRequest<RateLimitRequest, RateLimitResponse__Output>(
      path,
      requestSerialize as (value: RateLimitRequest) => Buffer,
      responseDeserialize as (bytes: Buffer) => RateLimitResponse__Output,
      { domain: "connections", descriptors: [descriptor] },
      new Metadata(),
      (error, response) => (response === undefined ? reject(error) : resolve(response)),
    );
  });
}

describe("connections that an Envoy asks about", () => {
  let harness: Harness;
  let lines: string[];
  const connectionLog: QueryLog = {
    write: (line) => lines.push(line) > 0,
    reopen: () => {},
    close: async () => {},
  };
  const start = async (options: Partial<Parameters<typeof Harness.start>[0]> = {}) => {
    lines = [];
    harness = await Harness.start({ connectionLog, ...options });
  };
  afterEach(() => harness.stop());

  /** The tenant was told ADDRESS as the answer of this name. */
  const tell = async (name: string, ttl = 60) => {
    const labels = name.split(".").map((label) => String.fromCharCode(label.length) + label);
    const worker = WorkerPeer.hello(harness.client());
    const qname = Buffer.from(`${labels.join("")}\0`, "latin1");
    const answers = Buffer.from([4, 192, 0, 2, 1]);
    const event = eventOf({ outcome: 0, rcode: 0, qtype: 1, qname, answers, ttl, logged: false });
    worker.report({ number: 1, events: batchOf(event) });
    await until(() => worker.reportAcks.length === 1, "the acknowledgement");
    worker.cancel();
  };
  /** What is refused is so after a while, in which an answer could have come. */
  const refused = async (from: From = {}) => {
    const before = lines.length;
    const answer = check(harness.client(), from);
    await until(() => {
      harness.clock.advance(1);
      return lines.length > before;
    }, "a judgement");
    return answer;
  };

  it("are allowed to an address that the tenant was told", async () => {
    await start();
    await harness.apply(policy("{}"));
    await tell("www.example.org");
    const { status: said, dynamic_metadata: metadata } = await check(harness.client());
    assert.equal(said?.code, status.OK);
    assert.deepEqual(JSON.parse(JSON.stringify(metadata)), {
      fields: { tenant: { stringValue: "frontend" }, name: { stringValue: "www.example.org." } },
    });
    assert.deepEqual(JSON.parse(lines[0] ?? ""), {
      time: new Date(harness.clock.now()).toISOString(),
      tenant: "frontend",
      client: CLIENT,
      address: ADDRESS,
      port: 443,
      name: "www.example.org.",
      outcome: "allowed",
    });
    harness.clock.advance(90_000);
    assert.equal((await refused()).status?.code, status.PERMISSION_DENIED);
  });

  it("are judged alike when Envoy asks as for a rate limit", async () => {
    await start();
    await harness.apply(policy("{}"));
    await tell("www.example.org");
    const entries = { client: CLIENT, address: ADDRESS, port: "443" };
    const allowed = await checkAtOnce(harness.client(), entries);
    assert.equal(allowed.overall_code, OK);
    assert.deepEqual(JSON.parse(JSON.stringify(allowed.dynamic_metadata)), {
      fields: { tenant: { stringValue: "frontend" }, name: { stringValue: "www.example.org." } },
    });
    const { name, port } = JSON.parse(lines[0] ?? "");
    assert.deepEqual([name, port], ["www.example.org.", 443]);
    for (const wrong of [{}, { client: CLIENT }, { client: "-", address: ADDRESS }]) {
      assert.equal((await checkAtOnce(harness.client(), wrong)).overall_code, OVER_LIMIT);
    }
    assert.equal(lines.length, 1);
    await tell("www.example.com", 600);
    harness.clock.advance(90_000);
    assert.equal((await checkAtOnce(harness.client(), entries)).overall_code, OVER_LIMIT);
    assert.equal(JSON.parse(lines[1] ?? "").rule, "deny-com");
  });

  it("wait a moment for an answer that is on its way", async () => {
    await start();
    await harness.apply(policy("{}"));
    const answer = check(harness.client());
    await until(() => harness.clock.isDue(5), "a second look");
    harness.clock.advance(5);
    await tell("www.example.org");
    await until(() => harness.clock.isDue(50), "a third look");
    harness.clock.advance(50);
    assert.equal((await answer).status?.code, status.OK);
  });

  it("wait in bounded number, of each tenant by itself", async () => {
    await start();
    const other = TENANT.replace("frontend", "backend").replace("127.0.1.0/24", "127.0.2.0/24");
    await harness.apply(policy("{}", [TENANT, other].join("---\n")));
    const client = harness.client();
    const answers = Array.from({ length: 300 }, () => check(client));
    await until(() => lines.length >= 44, "those that are too many to be refused");
    const patient = check(client, { client: "127.0.2.1" });
    await until(() => harness.clock.isDue(2), "the others to wait");
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    assert.equal(lines.length, 44);
    await until(() => {
      harness.clock.advance(1);
      return lines.length === 301;
    }, "all to be refused");
    assert.ok((await Promise.all([...answers, patient])).every(({ status: said }) => said?.code === 7));
    assert.equal(JSON.parse(lines.at(-1) ?? "").tenant, "backend");
    await tell("www.example.org");
    assert.equal((await check(client)).status?.code, status.OK);
  });

  it("are allowed by answers while names of the mesh cannot be had, and none is left waiting by a failure", async () => {
    await start();
    await harness.apply(policy("{}"));
    const away = async () => {
      throw new Error("starting");
    };
    const qname = Buffer.from("\x03www\x07example\x03org\x00", "latin1");
    let granted: readonly GrantedName[] = [{ qname, qtype: 1, transport: 0 }];
    let broken = false;
    const soon = (_: number, task: () => void) => {
      setImmediate(task);
      return () => {};
    };
    const authorizer = new Authorizer({
      policy: () => harness.store.current(),
      decide: (snapshot, request) => {
        if (broken) throw new Error("pods are not listed yet");
        return decide(snapshot, request);
      },
      mesh: { ask: away },
      pods: { at: () => undefined },
      telemetry: { ask: (async () => granted) as Telemetry["ask"] },
      clock: { ...harness.clock, now: () => 0, elapsed: () => 0, after: soon } as Clock,
      onJudged: () => {},
    });
    const octets = (text: string) => Uint8Array.from(text.split(".").map(Number));
    const who = { principal: undefined, tenant: undefined, host: undefined };
    const connection = { client: octets(CLIENT), address: octets(ADDRESS), port: 443, ...who };
    assert.equal((await authorizer.judge(connection)).outcome, "allowed");
    for (let times = 0; times < 300; times++) {
      granted = [];
      broken = true;
      const judged = authorizer.judge(connection);
      await new Promise(setImmediate);
      granted = [{ qname, qtype: 1, transport: 0 }];
      await assert.rejects(judged, /not listed/);
    }
    broken = false;
    granted = [];
    const judged = authorizer.judge(connection);
    await new Promise(setImmediate);
    granted = [{ qname, qtype: 1, transport: 0 }];
    assert.equal((await judged).outcome, "allowed");
  });

  it("are refused where the name is denied, or nobody was told, or the client is nobody", async () => {
    await start();
    await harness.apply(policy("{}"));
    const unknown = await refused();
    assert.deepEqual([unknown.status?.code, unknown.status?.message], [7, "no answer had this address"]);
    await tell("www.example.com");
    assert.equal((await refused()).status?.message, "the name is denied");
    const { name, policy: by, rule, outcome } = JSON.parse(lines.at(-1) ?? "");
    assert.deepEqual(
      { name, by, rule, outcome },
      { name: "www.example.com.", by: "no-com", rule: "deny-com", outcome: "refused" },
    );
    assert.equal((await refused({ client: "127.0.9.1" })).status?.message, "the client is no tenant's");
  });

  it("take an address for one, however a socket has it", async () => {
    await start();
    await harness.apply(policy("{}"));
    await tell("www.example.org");
    const mapped = { client: `::ffff:${CLIENT}`, to: `::ffff:${ADDRESS}` };
    assert.equal((await check(harness.client(), mapped)).status?.code, status.OK);
    const malformed = await check(harness.client(), { to: "" });
    assert.deepEqual([malformed.status?.code, lines.length], [status.PERMISSION_DENIED, 1]);
  });

  it("are a tenant's by principal, or by what the Envoy's own configuration says", async () => {
    await start();
    const principal = "spiffe://cluster.local/ns/web/sa/shop";
    const tenant = TENANT.replace('cidrs: ["127.0.1.0/24"]', `principals: ["${principal}"]`);
    await harness.apply(policy("{}", tenant));
    await tell("www.example.org");
    assert.equal((await refused()).status?.message, "the client is no tenant's");
    assert.equal((await refused({ principal: "CN=shop" })).status?.message, "the client is no tenant's");
    assert.equal((await check(harness.client(), { principal })).status?.code, status.OK);
    const metadata = new Metadata();
    metadata.set("x-dns-tenant", "frontend");
    assert.equal((await check(harness.client(), { metadata })).status?.code, status.OK);
  });

  it("are told of, and let through, in mode Audit; nobody asks without a word of them", async () => {
    await start();
    await harness.apply(policy("{mode: Audit}"));
    assert.equal((await refused()).status?.code, status.OK);
    assert.equal(JSON.parse(lines[0] ?? "").outcome, "would_refuse");
    for (const off of [policy("{mode: Off}"), [TENANT, upstream()].join("---\n")]) {
      await harness.apply(off, "?prune=true");
      assert.equal((await check(harness.client())).status?.code, status.OK);
    }
    assert.equal(lines.length, 1);
    const { text } = await harness.http({ path: "/metrics" });
    assert.match(text, /^dns_connection_checks_total\{tenant="frontend",outcome="would_refuse"\} 1$/m);
    assert.match(text, /^dns_connection_checks_total\{tenant="-",outcome="unchecked"\} 2$/m);
  });

  it("are logged with no more than their tenant wants to be known", async () => {
    await start();
    const hiding = TENANT.replace("upstream: public", "upstream: public, telemetry: {clients: Network, names: Hashed}");
    await harness.apply(policy("{}", hiding));
    await tell("www.example.org");
    assert.equal((await check(harness.client())).status?.code, status.OK);
    const { time: _, ...line } = JSON.parse(lines[0] ?? "");
    assert.deepEqual(line, { tenant: "frontend", client: "127.0.1.0", port: 443, outcome: "allowed" });
  });

  it("are judged for who knows the token alone", async () => {
    await start({ token: "secret" });
    await harness.apply(policy("{mode: Audit}"));
    await assert.rejects(check(harness.client()), { code: status.UNAUTHENTICATED });
    assert.equal(lines.length, 0);
    assert.equal((await refused({ metadata: bearer("secret") })).status?.code, status.OK);
  });

  const connections = async () => {
    const { text } = await harness.http({ path: "/v1/telemetry/connections" });
    return JSON.parse(text) as Connections;
  };

  it("are told of without names and addresses where their tenant wants that", async () => {
    await start();
    await harness.apply(
      policy("{}", TENANT.replace("upstream: public", "upstream: public, telemetry: {names: Hashed}")),
    );
    await refused();
    const { tenants, refused: places, unreachable } = await connections();
    assert.equal(tenants[0]?.refused, 1);
    assert.deepEqual([places, unreachable], [[], []]);
  });

  it("have workers tell of every answer at once", async () => {
    await start();
    const worker = WorkerPeer.hello(harness.client(), { obedient: true });
    await worker.waitRevision(1);
    await harness.apply(policy("{mode: Audit}"));
    await until(() => worker.revisions.length === 2, "a revision");
    const told = worker.received.flatMap(({ telemetry }) => (telemetry ? [telemetry] : []));
    assert.deepEqual(
      told.map(({ all_events, prompt }) => ({ all_events, prompt })),
      [
        { all_events: true, prompt: false },
        { all_events: true, prompt: true },
      ],
    );
  });
});
