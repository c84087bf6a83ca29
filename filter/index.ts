// The wasm module: what Envoy calls (proxy-wasm ABI 0.2.1). Each function finds the object that its context stands for
// and hands over; nothing else happens here.
//
// What need not be called is not exported. That is more than thrift: with proxy_on_upstream_data, every write of an answer
// would call back, and Envoy runs the continuations that are left of the outer call at the end of the inner one; a second
// one for the same connection then writes while it is being written to, which Envoy 1.40.0 does not survive.

import { Contexts, Plugin, Role } from "./contexts";
import "./host/abort";
import { Flow } from "./flow/flow";
import { Settings } from "./flow/settings";
import {
  allocate,
  Buffer,
  enter,
  isRootContext,
  LogLevel,
  leave,
  log,
  monotonicMicroseconds,
  readBuffer,
  readLength,
  setRootContext,
  setTickPeriod,
} from "./host/host";
import { beginReading, endReading, flush } from "./host/outbox";
import { publishCounters } from "./telemetry/telemetry";
import { Listener } from "./transport/evidence";
import { Transport } from "./transport/transport";

const TICK_MILLISECONDS: u32 = 50;
const CONTINUE: u32 = 0;
/** Stop here; of a body, buffer what is there. */
const STOP: u32 = 1;
/** Ticks between updates of Envoy's counters. */
const PUBLISH_TICKS: u32 = 20;
/** Garbage is collected after so many contexts, or so many ticks. */
const COLLECT_CONTEXTS: u32 = 8192;
const COLLECT_TICKS: u32 = 1200;

const settings = new Settings();
const plugins = new Map<u32, Plugin>();
let flow: Flow | null = null;
let contexts: Contexts | null = null;
let ticks: u32 = 0;
let collectedAt: u32 = 0;

function begin(): void {
  enter();
  const theFlow = flow;
  if (theFlow !== null) theFlow.now = monotonicMicroseconds();
}

function end(): void {
  flush();
  leave();
}

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(size: usize): usize {
  return allocate(size);
}

// ---- start ---------------------------------------------------------------------------------------------------------

export function proxy_on_vm_start(context: u32, size: u32): u32 {
  // Envoy calls this for every plugin, and after a trap not before a plugin is used again: others are at work by then.
  if (flow !== null) return 1;
  enter();
  setRootContext(context);
  const bytes = readBuffer(Buffer.VmConfiguration, 0, size);
  if (bytes != 0) settings.parse(String.UTF8.decodeUnsafe(bytes, readLength));
  const isValid = settings.error.length == 0;
  if (isValid) {
    const started = new Flow(settings);
    flow = started;
    contexts = new Contexts(started, settings);
  } else {
    log(LogLevel.Error, settings.error);
  }
  leave();
  return isValid ? 1 : 0;
}

export function proxy_on_configure(context: u32, size: u32): u32 {
  enter();
  const bytes = readBuffer(Buffer.PluginConfiguration, 0, size);
  const plugin = parsePlugin(bytes == 0 ? "" : String.UTF8.decodeUnsafe(bytes, readLength));
  if (plugin !== null) {
    plugins.set(context, plugin);
    // Internal listeners outlive the others when Envoy drains, and calls go out until the end.
    if (plugin.role == Role.Pipe) setRootContext(context);
    if (isRootContext(context)) setTickPeriod(TICK_MILLISECONDS);
  }
  leave();
  return plugin === null ? 0 : 1;
}

const TRANSPORTS: StaticArray<string> = ["udp", "tcp", "dot", "doh", "doh3"];

function parsePlugin(text: string): Plugin | null {
  let role = Role.None;
  let transport = -1;
  let name = "";
  let tenant = "";
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].trim();
    const equals = line.indexOf("=");
    const key = equals < 0 ? line : line.substring(0, equals);
    const value = equals < 0 ? "" : line.substring(equals + 1);
    if (key == "role") role = parseRole(value);
    else if (key == "transport") transport = TRANSPORTS.indexOf(value);
    else if (key == "listener") name = value;
    else if (key == "tenant") tenant = value;
    else if (line.length != 0 && !line.startsWith("#")) {
      log(LogLevel.Error, "plugin configuration: unknown key '" + key + "'");
      return null;
    }
  }
  if (role == Role.None) {
    log(LogLevel.Error, "plugin configuration: expected role=tunnel, stream, http2, doh or pipe");
    return null;
  }
  if (transport < 0 && role != Role.Pipe) {
    log(LogLevel.Error, "plugin configuration: expected transport=udp, tcp, dot, doh or doh3");
    return null;
  }
  return new Plugin(role, new Listener(transport < 0 ? Transport.Udp : <Transport>transport, name, tenant));
}

function parseRole(text: string): Role {
  if (text == "tunnel") return Role.Tunnel;
  if (text == "stream") return Role.Stream;
  if (text == "http2") return Role.Http2;
  if (text == "doh") return Role.Doh;
  if (text == "pipe") return Role.Pipe;
  return Role.None;
}

// ---- contexts ------------------------------------------------------------------------------------------------------

export function proxy_on_context_create(context: u32, root: u32): void {
  if (root == 0 || !plugins.has(root)) return;
  begin();
  const all = contexts;
  if (all !== null) all.create(context, plugins.get(root));
  end();
}

export function proxy_on_delete(context: u32): void {
  begin();
  const all = contexts;
  if (all !== null) all.delete(context);
  end();
}

// ---- connections ---------------------------------------------------------------------------------------------------

export function proxy_on_downstream_data(context: u32, size: u32, _end: u32): u32 {
  const all = contexts;
  const theFlow = flow;
  if (size == 0 || all === null || theFlow === null) return STOP;
  begin();
  const bytes = readBuffer(Buffer.NetworkDownstreamData, 0, size);
  const length = bytes == 0 ? 0 : readLength;
  const tunnel = all.tunnel(context);
  if (tunnel !== null) {
    beginReading(context, length);
    const isSound = tunnel.receive(bytes, length, theFlow.now);
    endReading();
    if (!isSound) tunnel.end();
  } else {
    const stream = all.stream(context);
    if (stream !== null) {
      beginReading(context, length);
      stream.receive(bytes, length, theFlow.now);
      endReading();
    }
  }
  theFlow.sync.start(theFlow.now);
  end();
  return STOP;
}

// ---- HTTP ----------------------------------------------------------------------------------------------------------

export function proxy_on_request_headers(context: u32, _count: u32, ended: u32): u32 {
  const all = contexts;
  const theFlow = flow;
  if (all === null || theFlow === null) return STOP;
  const request = all.request(context);
  if (request === null) return CONTINUE;
  begin();
  if (request.readPath()) {
    request.identify(all.identifyRequest(context));
    request.onHeaders(ended != 0);
  }
  theFlow.sync.start(theFlow.now);
  end();
  return STOP;
}

export function proxy_on_request_body(context: u32, size: u32, ended: u32): u32 {
  const all = contexts;
  if (all === null) return STOP;
  const request = all.request(context);
  if (request !== null) {
    begin();
    request.onBody(size, ended != 0);
    end();
    return STOP;
  }
  const pipe = all.pipe(context);
  if (pipe !== null && size != 0) {
    begin();
    pipe.onRequestBody(size);
    end();
  }
  return CONTINUE;
}

export function proxy_on_response_headers(context: u32, _count: u32, _ended: u32): u32 {
  const all = contexts;
  if (all === null) return CONTINUE;
  const pipe = all.pipe(context);
  if (pipe !== null) pipe.onResponseHeaders();
  return CONTINUE;
}

export function proxy_on_response_body(context: u32, size: u32, _ended: u32): u32 {
  const all = contexts;
  if (all === null) return CONTINUE;
  const pipe = all.pipe(context);
  if (pipe !== null && size != 0) {
    begin();
    pipe.onResponseBody(size);
    end();
  }
  return CONTINUE;
}

// ---- calls ---------------------------------------------------------------------------------------------------------

export function proxy_on_http_call_response(
  _context: u32,
  token: u32,
  headerCount: u32,
  bodySize: u32,
  _trailerCount: u32,
): void {
  const theFlow = flow;
  if (theFlow === null) return;
  begin();
  if (!theFlow.onDecision(token, headerCount, bodySize)) {
    theFlow.exchanges.onHttpResponse(token, headerCount, bodySize, theFlow.now);
  }
  end();
}

export function proxy_on_grpc_receive(_context: u32, token: u32, size: u32): void {
  const theFlow = flow;
  if (theFlow === null) return;
  begin();
  const message = readBuffer(Buffer.GrpcReceiveBuffer, 0, size);
  const length = message == 0 ? 0 : readLength;
  if (!theFlow.exchanges.onPipeMessage(token, message, length, theFlow.now)) {
    theFlow.sync.onMessage(token, message, length, theFlow.now);
  }
  end();
}

export function proxy_on_grpc_close(_context: u32, token: u32, _status: u32): void {
  const theFlow = flow;
  if (theFlow === null) return;
  begin();
  if (!theFlow.exchanges.onPipeClosed(token, theFlow.now)) theFlow.sync.onClosed(token, theFlow.now);
  end();
}

// ---- time ----------------------------------------------------------------------------------------------------------

export function proxy_on_tick(context: u32): void {
  const all = contexts;
  const theFlow = flow;
  if (all === null || theFlow === null || !isRootContext(context)) return;
  begin();
  theFlow.tick();
  all.tick();
  ticks++;
  if (ticks % PUBLISH_TICKS == 0) publishCounters();
  end();
  if (all.created >= COLLECT_CONTEXTS || ticks - collectedAt >= COLLECT_TICKS) {
    all.created = 0;
    collectedAt = ticks;
    collectGarbage();
  }
}

/** Only between callbacks, when nothing is on the stack: the runtime has no shadow stack. */
function collectGarbage(): void {
  __collect();
}
