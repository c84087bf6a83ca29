/**
 * A fake proxy-wasm host: it runs the built filter without Envoy, with Envoy's semantics, and with time and chance
 * in the test's hands.
 *
 *     const host = await Host.load("build/filter.wasm", {
 *       vmConfiguration: "node=test\nconcurrency=1",
 *       plugins: [{ name: "tcp", configuration: "role=stream\ntransport=tcp\nlistener=tcp" }],
 *     });
 *     const client = host.connect("tcp", { properties: { "source.address": "127.0.1.1:40000" } });
 *     client.send(framedQuery);
 *     host.httpCall("dns_policy").respond(200, [["content-type", "application/x-protobuf"]], verdict);
 *     host.advance(20);
 *     client.take();            // what was written to the client
 *
 * A guest that traps throws a GuestTrap out of the verb that made it.
 */
import { readFile } from "node:fs/promises";
import type { Headers } from "./abi.ts";
import type { GrpcStream, HttpCall } from "./callouts.ts";
import { SeededRandom, VirtualClock } from "./clock.ts";
import { Connection, type ConnectionProperties } from "./connection.ts";
import { HttpStream } from "./http-stream.ts";
import { envImports } from "./imports.ts";
import { Metrics } from "./metrics.ts";
import { type Plugin, RootContext } from "./root-context.ts";
import { Vm } from "./vm.ts";
import { wasiImports } from "./wasi.ts";

export interface LogLine {
  level: number;
  message: string;
}

/** What the host's functions share. */
export interface HostState {
  readonly vm: Vm;
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly metrics: Metrics;
  readonly shared: Map<string, { value: Uint8Array; cas: number }>;
  readonly logs: LogLine[];
  logLevel: number;
  clusters(name: string): boolean;
  nextToken(kind: 0 | 2): number;
  onHttpCall(call: HttpCall): void;
  onGrpcStream(stream: GrpcStream): void;
}

export interface HostOptions {
  plugins: Plugin[];
  vmConfiguration?: string;
  vmId?: string;
  /** Of the random octets that the guest is given. */
  seed?: number;
  /** Clusters that Envoy does not know: calls to them fail at once. All others exist. */
  missingClusters?: string[];
  /** Called at the guest's calls out, inside the guest's call: answer them later, by `afterCall` at the earliest. */
  onHttpCall?: (call: HttpCall) => void;
  onGrpcStream?: (stream: GrpcStream) => void;
}

export class Host implements HostState {
  readonly vm = new Vm();
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly metrics = new Metrics();
  readonly shared = new Map<string, { value: Uint8Array; cas: number }>();
  readonly logs: LogLine[] = [];
  readonly missingClusters: Set<string>;
  readonly #roots = new Map<string, RootContext>();
  readonly #tokens = { 0: 0, 2: 2 };
  readonly #options: HostOptions;
  logLevel = 2;

  /** Compiles and starts a module: a file's name, or its bytes. */
  static async load(module: string | Uint8Array, options: HostOptions): Promise<Host> {
    const bytes = typeof module === "string" ? await readFile(module) : module;
    return Host.start(await WebAssembly.compile(new Uint8Array(bytes)), options);
  }

  /** Starts a compiled module; a module may be started many times. */
  static async start(module: WebAssembly.Module, options: HostOptions): Promise<Host> {
    const host = new Host(options);
    const imports = { env: envImports(host), wasi_snapshot_preview1: wasiImports(host) };
    host.vm.start(await WebAssembly.instantiate(module, imports));
    for (const plugin of options.plugins) host.startPlugin(plugin);
    return host;
  }

  /** Makes a plugin's root context: all of them at first; after a trap, each when it is used next. */
  startPlugin(plugin: Plugin): void {
    const { vmId = "dns", vmConfiguration = "" } = this.#options;
    const root = new RootContext(this.vm, plugin, vmId, vmConfiguration);
    if (!root.start()) throw new Error(`the guest refused to start or configure plugin ${plugin.name}`);
    this.#roots.set(plugin.name, root);
  }

  private constructor(options: HostOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    this.missingClusters = new Set(options.missingClusters);
  }

  root(plugin: string): RootContext {
    const root = this.#roots.get(plugin);
    if (!root) throw new Error(`there is no plugin ${plugin}; there are ${[...this.#roots.keys()].join(", ")}`);
    return root;
  }

  /** A client's connection to a listener with this plugin and echo. */
  connect(plugin: string, properties?: ConnectionProperties): Connection {
    return new Connection(this.root(plugin), properties);
  }

  /** An HTTP request through this plugin. */
  request(plugin: string, headers: Headers, options?: ConstructorParameters<typeof HttpStream>[2]): HttpStream {
    return new HttpStream(this.root(plugin), headers, options);
  }

  /** HTTP calls that wait for an answer, oldest first, of one cluster or of all. */
  httpCalls(cluster?: string): HttpCall[] {
    const calls = [...this.#roots.values()].flatMap((root) => [...root.httpCalls.values()]);
    return calls.filter((call) => call.open && (cluster === undefined || call.cluster === cluster));
  }

  /** The oldest HTTP call that waits for an answer. */
  httpCall(cluster?: string): HttpCall {
    const [call] = this.httpCalls(cluster);
    if (!call) throw new Error(`the guest waits for no HTTP call${cluster ? ` to ${cluster}` : ""}`);
    return call;
  }

  /** gRPC streams that are open, oldest first. */
  grpcStreams(cluster?: string): GrpcStream[] {
    const streams = [...this.#roots.values()].flatMap((root) => [...root.grpcStreams.values()]);
    return streams.filter((stream) => stream.open && (cluster === undefined || stream.cluster === cluster));
  }

  /** The oldest gRPC stream that is open. */
  grpcStream(cluster?: string): GrpcStream {
    const [stream] = this.grpcStreams(cluster);
    if (!stream) throw new Error(`the guest has no gRPC stream${cluster ? ` to ${cluster}` : ""} open`);
    return stream;
  }

  /** Contexts that are alive, roots not counted: 0 when every client is gone. */
  get liveContexts(): number {
    return this.vm.contexts.size - this.#roots.size;
  }

  /** Lets time pass: ticks and the time limits of HTTP calls happen when they are due, in order. */
  advance(milliseconds: number): void {
    const end = this.clock.elapsedMs + milliseconds;
    for (;;) {
      const tick = [...this.#roots.values()].reduce((a, b) => (b.nextTickMs < a.nextTickMs ? b : a));
      const call = this.httpCalls().reduce<HttpCall | undefined>(
        (first, each) => (each.deadlineMs < (first?.deadlineMs ?? Number.POSITIVE_INFINITY) ? each : first),
        undefined,
      );
      const callDue = call?.deadlineMs ?? Number.POSITIVE_INFINITY;
      if (Math.min(tick.nextTickMs, callDue) > end) break;
      if (call && callDue <= tick.nextTickMs) {
        this.clock.elapsedMs = callDue;
        call.timeOut();
      } else {
        this.clock.elapsedMs = tick.nextTickMs;
        // Armed before the tick, as a tick may set another period; Envoy arms it after, from the same moment.
        tick.nextTickMs += tick.tickMs;
        tick.tick();
      }
    }
    this.clock.elapsedMs = end;
  }

  clusters(name: string): boolean {
    return !this.missingClusters.has(name);
  }

  /** Tokens carry the kind of call in their two low bits. */
  nextToken(kind: 0 | 2): number {
    this.#tokens[kind] += 4;
    return this.#tokens[kind];
  }

  onHttpCall(call: HttpCall): void {
    this.#options.onHttpCall?.(call);
  }

  onGrpcStream(stream: GrpcStream): void {
    this.#options.onGrpcStream?.(stream);
  }
}
