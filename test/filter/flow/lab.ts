/**
 * The built filter between hands: clients over TCP, and a policy service and upstreams that say what the test says, when
 * the test says it.
 */
import { fileURLToPath } from "node:url";
import packet from "dns-packet";
import protobuf from "protobufjs";
import { type Answer, decodeAnswer, encodeQuestion } from "../../e2e/dns.ts";
import { answerFrom, parseZone } from "../../e2e/records.ts";
import type { GrpcStream, HttpCall } from "../../host/callouts.ts";
import type { Connection } from "../../host/connection.ts";
import { decodeTcp, encodeTcp } from "../../host/framing.ts";
import { Host } from "../../host/host.ts";
import { filterWasm } from "../../host/wasm.ts";

const root = new protobuf.Root();
root.loadSync(fileURLToPath(new URL("../../../protos/sync.proto", import.meta.url)), { keepCase: true });
const type = (name: string) => root.lookupType(`dns.mesh.v1.${name}`);
const [Verdict, WorkerMessage, ServiceMessage] = [type("Verdict"), type("WorkerMessage"), type("ServiceMessage")];
const EventBatch = type("EventBatch");
const encode = (of: protobuf.Type, message: object): Uint8Array => of.encode(of.fromObject(message)).finish();

export const TCP = { name: "tcp", configuration: "role=stream\ntransport=tcp\nlistener=tcp" };
export const PIPE = { name: "pipe", configuration: "role=pipe\nlistener=dns_pipe", allowOnHeadersStopIteration: true };
const CLUSTER = "up/public/1";
const PROTOBUF: [string, string][] = [["content-type", "application/x-protobuf"]];

export interface VerdictParts {
  revision?: number;
  /** As the revision has them, by default, and of the service that has told of one last. */
  lists?: number;
  service?: number;
  subject?: number;
  /** Of the block of clients; the client alone by default. */
  prefix?: number;
  denied?: boolean;
  /** For every name; for the one that was asked by default. */
  wide?: boolean;
  logAll?: boolean;
}

/** Of QueryEvent, what tests look at. */
export interface LabEvent {
  time_us: number;
  tenant: string;
  qname: Uint8Array;
  outcome: number;
  rcode: number;
  cache: number;
  upstream: string;
  upstream_us: number;
  upstream_server: string;
  latency_us: number;
  answers: Uint8Array;
  ttl: number;
  logged: boolean;
}

export interface Report {
  number: number;
  events: LabEvent[];
  dropped_events: number;
}

export class FlowLab {
  readonly host: Host;
  #hash = 0;
  #service = 0;
  /** Revision.lists, by the number that it came with. */
  readonly #lists = new Map<number, number>();

  static async open(settings: Record<string, number>, plugins = [TCP, PIPE]): Promise<FlowLab> {
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const vmConfiguration = ["node=lab", "concurrency=1", ...lines].join("\n");
    return new FlowLab(await Host.load(filterWasm, { vmConfiguration, plugins }));
  }

  private constructor(host: Host) {
    this.host = host;
  }

  // ---- clients

  connect(address: string): Connection {
    return this.host.connect("tcp", { properties: { "source.address": `${address}:4000` } });
  }

  /** Asks over a connection that is open. */
  ask(connection: Connection, ...names: string[]): void {
    connection.send(encodeTcp(...names.map((name) => encodeQuestion(name, { edns: 1232 }))));
  }

  answers(connection: Connection): Answer[] {
    return decodeTcp(connection.take()).map(decodeAnswer);
  }

  // ---- the policy service

  get sync(): GrpcStream {
    return this.host.grpcStream("policy_service");
  }

  /** With `more` of what a Revision says. With `lists_changed`, the policy is the same. */
  revise(sequence: number, more: { lists_changed?: object; lists?: number; service?: number } = {}): void {
    const upstreams = [{ id: 1, name: "public", protocol: 0, servers: [{ cluster: CLUSTER, name: "public" }] }];
    if (more.lists_changed === undefined) this.#hash = sequence;
    this.#lists.set(sequence, more.lists ?? 0);
    this.#service = more.service ?? this.#service;
    this.tell({ revision: { sequence, hash: this.#hash, upstreams, service: this.#service, ...more } });
  }

  tell(message: object): void {
    this.sync.receive(encode(ServiceMessage, message));
  }

  /** Reports that came since the last time. */
  reports(): Report[] {
    const messages = this.sync.takeAll().map((bytes) => WorkerMessage.toObject(WorkerMessage.decode(bytes), LOSSY));
    return messages.flatMap(({ report }) =>
      report ? [{ ...report, events: readBatch(report.events) } as Report] : [],
    );
  }

  get decisions(): HttpCall[] {
    return this.host.httpCalls("dns_policy");
  }

  /** The name that a decision is about. */
  nameOf(call: HttpCall): string {
    const path = new URL(call.header(":path") ?? "", "http://policy");
    const query = packet.decode(Buffer.from(path.searchParams.get("dns") ?? "", "base64url"));
    return query.questions?.[0]?.name ?? "";
  }

  decide(call: HttpCall, parts: VerdictParts = {}): void {
    call.respond(200, PROTOBUF, this.verdict(call, parts));
  }

  verdict(call: HttpCall, parts: VerdictParts): Uint8Array {
    const { revision = 1, subject = 1, prefix = 32, denied = false, wide = false, logAll = false } = parts;
    const { lists = this.#lists.get(revision) ?? 0, service = this.#service } = parts;
    const labels = this.nameOf(call).split(".").length;
    const client = { subject, tenant: `tenant${subject}`, prefix, log_all: logAll };
    const scope = wide ? { labels: 0, extent: 2 } : { labels, extent: 0 };
    const action = denied ? { deny: { rcode: 3, ede_code: 15, ttl: 30 } } : { forward: { upstream: 1, view: 1 } };
    return encode(Verdict, { revision, client, scope, ...action, lists, service });
  }

  // ---- upstreams

  get pipes(): GrpcStream[] {
    return this.host.grpcStreams("dns_pipe");
  }

  /** Answers what came by a pipe, and says how much that was. */
  serve(pipe: GrpcStream): number {
    const zone = parseZone("*.example 300 A 192.0.2.1");
    const queries = pipe.takeAll();
    for (const query of queries) pipe.receive(answerFrom(zone, packet.decode(Buffer.from(query))));
    return queries.length;
  }
}

function readBatch(octets: Uint8Array): LabEvent[] {
  return EventBatch.toObject(EventBatch.decode(octets), { ...LOSSY, arrays: true }).events;
}

const LOSSY = { longs: Number, defaults: true, oneofs: true } as const;
