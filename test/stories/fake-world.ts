/**
 * A story's world on the fake host: the built filter, the policy service's own decision, upstreams that are scripts,
 * and time that passes only when it is told to.
 */
import { type Answer, decodeAnswer, encodeQuestion, FLAGS } from "../e2e/dns.ts";
import { Oracle, type Reply } from "../e2e/upstream.ts";
import type { Property } from "../host/abi.ts";
import type { GrpcStream, HttpCall } from "../host/callouts.ts";
import { decodeTcp, encodeTcp } from "../host/framing.ts";
import { Host } from "../host/host.ts";
import { type Session, Tunnel } from "../host/tunnel.ts";
import { FakePolicy } from "./fake-policy.ts";
import type { Story } from "./story.ts";
import { joinDocuments, type Question, type StoryEvent, upstreamResource, type World } from "./world.ts";

/** How finely time is let pass: what one part of the world says, another hears this much later at most. */
const STEP_MS = 10;
const EVENT_PATIENCE_MS = 3000;

const PLUGINS = [
  { name: "dns_udp", configuration: "role=tunnel\ntransport=udp\nlistener=udp" },
  { name: "dns_tcp", configuration: "role=stream\ntransport=tcp\nlistener=tcp" },
  { name: "dns_dot", configuration: "role=stream\ntransport=dot\nlistener=dot" },
  { name: "dns_doh", configuration: "role=doh\ntransport=doh\nlistener=doh", allowOnHeadersStopIteration: true },
  { name: "dns_doh3", configuration: "role=doh\ntransport=doh3\nlistener=doh3", allowOnHeadersStopIteration: true },
  { name: "dns_dns_pipe", configuration: "role=pipe\nlistener=dns_pipe", allowOnHeadersStopIteration: true },
];

/** A client that waits: gives the answer when it has come. */
type Pending = () => Uint8Array | undefined;

export class FakeWorld implements World {
  readonly host: Host;
  readonly policy: FakePolicy;
  readonly #upstreams = new Map<string, Oracle>();
  readonly #resources: string;
  readonly #work: (() => void)[];
  readonly #later: { dueMs: number; action: () => void }[] = [];
  #tunnel: Tunnel | undefined;
  #nextPort = 20_000;

  /** `settings`: of the VM, a line each. */
  static async open(wasm: string, story: Story, settings = ""): Promise<FakeWorld> {
    const policy = new FakePolicy();
    const work: (() => void)[] = [];
    let world: FakeWorld | undefined;
    const host = await Host.load(wasm, {
      vmConfiguration: `node=story\nconcurrency=1\n${settings}`,
      plugins: PLUGINS,
      onHttpCall: (call) => work.push(() => world?.answerCall(call)),
      onGrpcStream: (stream) => {
        stream.onMessage = (message) => work.push(() => world?.receiveMessage(stream, message));
        work.push(() => world?.acceptStream(stream));
      },
    });
    world = new FakeWorld(host, policy, story, work);
    await world.apply(story.policy);
    return world;
  }

  private constructor(host: Host, policy: FakePolicy, story: Story, work: (() => void)[]) {
    this.host = host;
    this.policy = policy;
    this.#work = work;
    const resources: string[] = [];
    for (const [name, { protocol, zone }] of Object.entries(story.upstreams)) {
      this.#upstreams.set(name, new Oracle(zone));
      resources.push(upstreamResource(name, protocol, 8000 + resources.length, ""));
    }
    this.#resources = joinDocuments(...resources);
  }

  async ask(question: Question, withinMs: number): Promise<{ answer: Answer; tookMs: number } | undefined> {
    const started = this.host.clock.elapsedMs;
    const pending = this.#send(question);
    this.settle();
    for (;;) {
      const wire = pending();
      const tookMs = this.host.clock.elapsedMs - started;
      if (wire) return { answer: decodeAnswer(wire), tookMs };
      if (tookMs >= withinMs) return undefined;
      this.#advance(STEP_MS);
    }
  }

  async pass(milliseconds: number): Promise<void> {
    this.#advance(milliseconds);
  }

  upstream(name: string): Oracle {
    const upstream = this.#upstreams.get(name);
    if (!upstream) throw new Error(`expected an upstream of ${[...this.#upstreams.keys()].join(", ")}, got "${name}"`);
    return upstream;
  }

  async service(state: "killed" | "stopped" | "back"): Promise<void> {
    this.policy.become(state === "back" ? "running" : state);
    // A stopped service is noticed by its silence.
    if (state === "stopped") this.#advance(4000);
    if (state === "back") this.#advance(2000);
    this.settle();
  }

  async apply(policy: string): Promise<void> {
    await this.policy.load(joinDocuments(policy, this.#resources));
    this.settle();
    const open = this.host.grpcStreams("policy_service").length > 0;
    for (let waited = 0; open && this.policy.acknowledged < this.policy.sequence; waited += STEP_MS) {
      if (waited > 1000) throw new Error("the worker has not acknowledged the revision within a second");
      this.#advance(STEP_MS);
    }
  }

  async takeEvents(atLeast: number): Promise<StoryEvent[]> {
    const events = this.policy.takeEvents();
    for (let waited = 0; events.length < atLeast && waited < EVENT_PATIENCE_MS; waited += STEP_MS) {
      this.#advance(STEP_MS);
      events.push(...this.policy.takeEvents());
    }
    return events;
  }

  close(): Promise<void> {
    return this.policy.close();
  }

  /** The filter made an HTTP call. */
  answerCall(call: HttpCall): void {
    if (!call.open) return;
    if (call.cluster === "dns_policy") {
      this.policy.decide(call, Number(this.host.clock.wallNanoseconds / 1_000_000n));
      return;
    }
    if (call.cluster !== "dns_doh_out")
      throw new Error(`the filter calls the cluster ${call.cluster}, which is not there`);
    const path = new URL(call.header(":path") ?? "", "https://upstream");
    const encoded = path.searchParams.get("dns");
    const wire = encoded ? Buffer.from(encoded, "base64url") : Buffer.from(call.body);
    const reply = this.#oracle(call.header("x-dns-cluster")).ask(wire, "doh", 1, Object.fromEntries(call.headers));
    this.#after(reply.delayMs, () => {
      const message = reply.messages.at(-1);
      if (!call.open) return;
      if (reply.close) call.unavailable();
      else if (message) call.respond(reply.status ?? 200, [["content-type", "application/dns-message"]], message);
    });
  }

  /** The filter opened a gRPC stream. */
  acceptStream(stream: GrpcStream): void {
    if (stream.cluster === "policy_service") this.policy.accept(stream);
    else if (stream.cluster !== "dns_pipe")
      throw new Error(`the filter streams to ${stream.cluster}, which is not there`);
  }

  /** The filter sent a message: a report, or a query to an upstream. */
  receiveMessage(stream: GrpcStream, message: Uint8Array): void {
    if (!stream.open) return;
    if (stream.cluster === "policy_service") {
      this.policy.receive(stream, message);
      return;
    }
    const reply = this.#oracle(stream.metadataOf("x-dns-cluster")).ask(Buffer.from(message), "dot", 1, {});
    this.#after(reply.delayMs, () => this.#reply(stream, reply));
  }

  #reply(stream: GrpcStream, reply: Reply): void {
    for (const message of reply.messages) if (stream.open) stream.receive(message);
    if (reply.close && stream.open) stream.close(2);
  }

  #oracle(cluster: string | undefined): Oracle {
    const name = this.policy.upstreamOf(cluster ?? "");
    if (!name) throw new Error(`the filter asks the cluster ${cluster}, which is no upstream's`);
    return this.upstream(name);
  }

  /** Does what the parts of the world have for each other, until they are at rest. */
  settle(): void {
    this.policy.tick(this.host.clock.elapsedMs);
    for (let task = this.#work.shift(); task; task = this.#work.shift()) task();
  }

  #after(milliseconds: number | undefined, action: () => void): void {
    if (milliseconds) this.#later.push({ dueMs: this.host.clock.elapsedMs + milliseconds, action });
    else action();
  }

  #advance(milliseconds: number): void {
    const end = this.host.clock.elapsedMs + milliseconds;
    while (this.host.clock.elapsedMs < end) {
      this.host.advance(Math.min(STEP_MS, end - this.host.clock.elapsedMs));
      const due = this.#later.filter(({ dueMs }) => dueMs <= this.host.clock.elapsedMs);
      for (const entry of due) {
        this.#later.splice(this.#later.indexOf(entry), 1);
        entry.action();
      }
      this.settle();
    }
  }

  #send(question: Question): Pending {
    const { name, type, from, over, dnssec = false, iterative = false } = question;
    const wire = encodeQuestion(name, { type, edns: 1232, dnssecOk: dnssec, flags: iterative ? 0 : FLAGS.RD });
    const source = `${from}:${this.#nextPort++}`;
    if (over === "udp") return this.#sendUdp(source, wire);
    const tls: Record<string, Property> = { "connection.requested_server_name": question.serverName ?? "" };
    tls["filter_state.dns.uri_sans"] = question.principal ?? "";
    if (question.principal) tls["connection.uri_san_peer_certificate"] = question.principal;
    if (question.principal) tls["connection.mtls"] = true;
    const properties = { "source.address": source };
    if (over === "tcp" || over === "dot") {
      const tlsProperties = over === "dot" ? tls : {};
      const connection = this.host.connect(`dns_${over}`, { properties, tlsProperties });
      connection.send(encodeTcp(wire));
      return () => {
        const [message] = decodeTcp(connection.take());
        if (message) connection.close();
        return message;
      };
    }
    return this.#sendHttp(question, wire, { ...properties, ...tls });
  }

  #sendUdp(source: string, wire: Buffer): Pending {
    this.#tunnel ??= new Tunnel(this.host, "dns_udp");
    const tunnel = this.#tunnel;
    const session: Session = tunnel.open(source, wire);
    return () => {
      tunnel.poll();
      return session.received.shift();
    };
  }

  #sendHttp(question: Question, wire: Buffer, properties: Record<string, Property>): Pending {
    const get = question.over !== "doh-post";
    const path = question.path ?? "/dns-query";
    const request = this.host.request(
      question.over === "doh3" ? "dns_doh3" : "dns_doh",
      [
        [":method", get ? "GET" : "POST"],
        [":scheme", "https"],
        [":authority", "dns.example"],
        [":path", get ? `${path}?dns=${wire.toString("base64url")}` : path],
        ["accept", "application/dns-message"],
        ...(get ? [] : [["content-type", "application/dns-message"] as [string, string]]),
      ],
      { end: get, properties },
    );
    if (!get) request.sendBody(wire, true);
    return () => {
      const { status, body } = request.takeResponse();
      if (status === undefined) return undefined;
      if (status !== 200) throw new Error(`expected status 200, got ${status}: ${Buffer.from(body).toString()}`);
      return body;
    };
  }
}
