/**
 * The policy service inside the test: decisions by the service's own `decide()`, and its side of the Sync stream, in
 * virtual time.
 */
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { type Compiler, startCompiler } from "../../extproc/compile-thread/compiler.ts";
import { loadSnapshot, type Snapshot } from "../../extproc/compiled/snapshot.ts";
import { parseAddress } from "../../extproc/decide/address.ts";
import { type DecisionRequest, decide } from "../../extproc/decide/decide.ts";
import { Mesh } from "../../extproc/mesh/mesh.ts";
import type { MeshMember } from "../../extproc/mesh/mesh-room.ts";
import { podsOf } from "../../extproc/mesh/pods.ts";
import { type ObjectDelta, ObjectStore } from "../../extproc/mesh/sources/object-store.ts";
import { parseObjects } from "../../extproc/mesh/sources/parse-objects.ts";
import { VirtualAddresses } from "../../extproc/mesh/virtual-addresses.ts";
import { readQuestion } from "../../extproc/server/decisions/question.ts";
import { presentFlags } from "../../extproc/telemetry/query-record.ts";
import { inlineTables } from "../extproc/lists/inline-tables.ts";
import type { GrpcStream, HttpCall } from "../host/callouts.ts";
import type { StoryEvent } from "./world.ts";

const TRANSPORTS: Record<string, DecisionRequest["transport"]> = { udp: 0, tcp: 1, dot: 2, doh: 3, doh3: 4 };
const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
const HEARTBEAT_MS = 1000;

interface Messages {
  verdict: protobuf.Type;
  fromWorker: protobuf.Type;
  toWorker: protobuf.Type;
  batch: protobuf.Type;
}

function loadMessages(): Messages {
  const root = new protobuf.Root();
  root.loadSync(fileURLToPath(new URL("../../protos/sync.proto", import.meta.url)), { keepCase: true });
  const type = (name: string) => root.lookupType(`dns.mesh.v1.${name}`);
  return {
    verdict: type("Verdict"),
    fromWorker: type("WorkerMessage"),
    toWorker: type("ServiceMessage"),
    batch: type("EventBatch"),
  };
}

interface WireEvent {
  tenant: string;
  client: Uint8Array;
  qname: Uint8Array;
  qtype: number;
  outcome: string;
  policy: string;
  rule: string;
  rcode: number;
  ede: number;
  cache: string;
  principal: string;
  flags: number;
  logged: boolean;
  rewritten: Uint8Array;
  audits: { policy: string; rule: string; action: string }[];
}

interface WireComparison {
  tenant: string;
  qname: Uint8Array;
  qtype: number;
  upstream: string;
  result: string;
  rcode: number;
}

export class FakePolicy {
  readonly #messages = loadMessages();
  readonly #compiler: Compiler = startCompiler();
  readonly #streams = new Set<GrpcStream>();
  readonly #events: StoryEvent[] = [];
  /** What a stopped process finds when it goes on. */
  readonly #backlog: [stream: GrpcStream, message: Uint8Array][] = [];
  #snapshot: Snapshot | undefined;
  readonly #objects = new ObjectStore();
  readonly #pods = podsOf(this.#objects, () => {
    for (const stream of this.#streams) this.#send(stream, { clients_changed: {} });
  });
  #mesh: Mesh | undefined;
  readonly #members = new Map<GrpcStream, MeshMember>();
  #nextHeartbeatMs = 0;
  /** The highest sequence number that a worker acknowledged. */
  acknowledged = 0;
  /** Questions that workers have not sent to a second upstream. */
  droppedMirrors = 0;
  /** Decisions made. */
  decisions = 0;
  state: "running" | "killed" | "stopped" = "running";
  /** Changes what is said, for tests of what a worker makes of it. */
  corrupt: ((message: Uint8Array) => Uint8Array) | undefined;

  get sequence(): number {
    return this.#snapshot?.sequence ?? 0;
  }

  /** Compiles the text, and makes it the whole set. */
  async load(text: string): Promise<void> {
    const compiled = await this.#compiler.compile([], { upsert: [{ name: "story", text }], prune: true });
    if (!compiled.ok) throw new Error(`the policy is refused: ${JSON.stringify(compiled.problems)}`);
    this.#snapshot = loadSnapshot(compiled.policy, this.sequence + 1, inlineTables(compiled.policy));
    const { objects, problems } = parseObjects([{ name: "story", text }]);
    if (problems.length > 0) throw new Error(`the objects are refused: ${JSON.stringify(problems)}`);
    const mesh = await this.#meshOf();
    this.#objects.apply({ set: objects, replace: true });
    mesh.configure(this.#snapshot.tables.mesh);
    for (const stream of this.#streams) this.#sendRevision(stream);
  }

  /** Objects of the mesh change, and nothing else. */
  changeObjects(delta: ObjectDelta): void {
    this.#objects.apply(delta);
  }

  async #meshOf(): Promise<Mesh> {
    this.#mesh ??= new Mesh({
      objects: this.#objects,
      virtualAddresses: await VirtualAddresses.open(() => 0),
      after: (_, task) => task(),
      onExhausted: () => {},
      onError: (error) => {
        throw error;
      },
    });
    return this.#mesh;
  }

  /** Name of the upstream that a cluster's server belongs to. */
  upstreamOf(cluster: string): string | undefined {
    const { upstreams = [] } = this.#snapshot?.revision ?? {};
    return upstreams.find(({ servers }) => servers.some((server) => server.cluster === cluster))?.name;
  }

  /** A decision is asked for, at this time in milliseconds since 1970. */
  decide(call: HttpCall, time: number): void {
    if (this.state === "stopped") return;
    if (this.state === "killed" || !this.#snapshot) {
      call.unavailable();
      return;
    }
    const request = { ...readDecision(call), time };
    const verdict = decide(this.#snapshot, { ...request, pod: this.#pods.at(request.address) });
    this.decisions++;
    const body = this.#messages.verdict.encode(this.#messages.verdict.fromObject(verdict)).finish();
    call.respond(200, [["content-type", "application/x-protobuf"]], this.corrupt?.(body) ?? body);
  }

  /** The worker opened its Sync stream. */
  accept(stream: GrpcStream): void {
    if (this.state === "killed") {
      stream.close(14, "connection refused");
      return;
    }
    this.#streams.add(stream);
  }

  receive(stream: GrpcStream, message: Uint8Array): void {
    if (this.state !== "running") {
      this.#backlog.push([stream, message]);
      return;
    }
    const type = this.#messages.fromWorker;
    const read = type.toObject(type.decode(message), {
      longs: Number,
      enums: String,
      defaults: true,
      arrays: true,
      oneofs: true,
    });
    if (read.message === "hello") {
      const send = (update: object) => this.#send(stream, { mesh_update: update });
      const member = this.#mesh?.join({ isCongested: false, send, whenFree: () => {} }, read.hello.node);
      if (member) this.#members.set(stream, member);
      this.#sendRevision(stream);
    } else if (read.message === "mesh_interest") {
      const { views } = type.toObject(type.decode(message), { longs: String }).mesh_interest;
      this.#members.get(stream)?.interested(views);
    }
    if (read.message === "ack") this.acknowledged = Math.max(this.acknowledged, read.ack.sequence);
    else if (read.message === "report") {
      this.droppedMirrors += Number(read.report.dropped_mirrors ?? 0);
      this.#events.push(...this.#readBatch(read.report.events as Uint8Array));
      this.#send(stream, { report_ack: { number: read.report.number } });
    }
  }

  /** What the query log has of it. */
  #readBatch(octets: Uint8Array): StoryEvent[] {
    const { batch } = this.#messages;
    const read = batch.toObject(batch.decode(octets), { longs: Number, enums: String, defaults: true, arrays: true });
    const events = (read.events as WireEvent[]).filter(({ logged }) => logged).map(readEvent);
    return [...events, ...(read.comparisons as WireComparison[]).map(readComparison)];
  }

  /** Virtual time has come to this. */
  tick(nowMs: number): void {
    for (const stream of this.#streams) if (!stream.open) this.#streams.delete(stream);
    if (this.state !== "running" || nowMs < this.#nextHeartbeatMs) return;
    this.#nextHeartbeatMs = nowMs + HEARTBEAT_MS;
    for (const stream of this.#streams) this.#send(stream, { heartbeat: { sequence: this.sequence } });
  }

  become(state: FakePolicy["state"]): void {
    const open = [...this.#streams].filter((stream) => stream.open);
    this.state = state;
    const backlog = this.#backlog.splice(0);
    if (state === "running") for (const [stream, message] of backlog) if (stream.open) this.receive(stream, message);
    if (state !== "killed") return;
    for (const member of this.#members.values()) member.leave();
    this.#members.clear();
    this.#streams.clear();
    for (const stream of open) stream.close(14, "connection reset");
  }

  takeEvents(): StoryEvent[] {
    return this.#events.splice(0);
  }

  close(): Promise<void> {
    return this.#compiler.close();
  }

  #sendRevision(stream: GrpcStream): void {
    if (this.#snapshot && stream.open) this.#send(stream, { revision: this.#snapshot.revision });
  }

  #send(stream: GrpcStream, message: object): void {
    const type = this.#messages.toWorker;
    const bytes = type.encode(type.fromObject(message)).finish();
    if (stream.open) stream.receive(this.corrupt?.(bytes) ?? bytes);
  }
}

function readDecision(call: HttpCall): Omit<DecisionRequest, "time"> {
  const path = new URL(call.header(":path") ?? "", "http://policy");
  const wire = Buffer.from(path.searchParams.get("dns") ?? "", "base64url");
  const address = parseAddress(call.header("x-dns-client") ?? "");
  const transport = TRANSPORTS[call.header("x-dns-transport") ?? ""];
  if (!address || transport === undefined)
    throw new Error(`the filter asked for a decision that says too little: ${JSON.stringify(call.headers)}`);
  return {
    address,
    transport,
    listener: call.header("x-dns-listener") ?? "",
    principal: call.header("x-dns-principal"),
    serverName: call.header("x-dns-server-name"),
    path: call.header("x-dns-path"),
    tenant: call.header("x-dns-tenant"),
    ...readQuestion(wire),
  };
}

function readEvent(event: WireEvent): StoryEvent {
  return {
    tenant: event.tenant,
    client: [...event.client].join("."),
    question: `${readName(event.qname)} ${typeName(event.qtype)}`,
    outcome: event.outcome,
    rcode: presentRcode(event.rcode),
    rule: event.rule,
    ede: event.ede === 0 ? undefined : event.ede - 1,
    cache: event.cache,
    principal: event.principal,
    flags: presentFlags(event.flags) ?? "",
    rewritten: readName(event.rewritten),
    mirror: "",
    audit: event.audits.map(({ policy, rule, action }) => `${policy}/${rule} ${action.toLowerCase()}`).join(", "),
  };
}

function readComparison({ tenant, qname, qtype, upstream, result, rcode }: WireComparison): StoryEvent {
  return {
    tenant,
    client: "",
    question: `${readName(qname)} ${typeName(qtype)}`,
    outcome: "MIRRORED",
    rcode: presentRcode(rcode),
    rule: "",
    ede: undefined,
    cache: "NONE",
    principal: "",
    flags: "",
    rewritten: "",
    mirror: `${upstream} ${result.toLowerCase()}`,
    audit: "",
  };
}

function presentRcode(rcode: number): string {
  return rcode === 4095 ? "NONE" : (RCODES[rcode] ?? String(rcode));
}

function readName(wire: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; wire[at]; at += (wire[at] ?? 0) + 1)
    labels.push(Buffer.from(wire.subarray(at + 1, at + 1 + (wire[at] ?? 0))).toString("latin1"));
  return labels.join(".").toLowerCase();
}

function typeName(type: number): string {
  const names: Record<number, string> = { 1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT" };
  return (
    names[type] ??
    ({ 28: "AAAA", 33: "SRV", 64: "SVCB", 65: "HTTPS", 255: "ANY" } as Record<number, string>)[type] ??
    `TYPE${type}`
  );
}
