// The upstreams of a revision (Revision.upstreams of protos/sync.proto), by their numbers. A server that the last
// revision had too keeps its connections and its health.

import { defineMetric, Metric, Text } from "../host/host";
import { metricPart } from "../telemetry/telemetry";
import { Protocol, Server, Strategy, Upstream } from "../upstream/server";
import { isName } from "../wire/name";
import { ProtoReader } from "../wire/protobuf";

@final
export class Upstreams {
  /** By cluster name. */
  servers: Map<string, Server> = new Map<string, Server>();
  /** Those with health checks. */
  readonly checked: Array<Upstream> = new Array<Upstream>();
  private byNumber: Map<u32, Upstream> = new Map<u32, Upstream>();
  private readonly metrics: Map<string, u32> = new Map<string, u32>();
  private readonly revision: ProtoReader = new ProtoReader();
  private readonly upstream: ProtoReader = new ProtoReader();
  private readonly server: ProtoReader = new ProtoReader();
  /** Of the server that was read last. */
  private priority: u32 = 0;

  find(number: u32): Upstream | null {
    return this.byNumber.has(number) ? this.byNumber.get(number) : null;
  }

  /** Takes over the upstreams of a Revision message. */
  read(at: usize, length: u32): void {
    const before = this.servers;
    this.servers = new Map<string, Server>();
    this.byNumber = new Map<u32, Upstream>();
    this.checked.length = 0;
    const reader = this.revision.begin(at, length);
    while (reader.next()) {
      if (reader.field != 3) {
        reader.skip();
        continue;
      }
      reader.bytes();
      if (!reader.failed) this.readUpstream(reader.bytesAt, reader.bytesLength, before);
    }
  }

  private readUpstream(at: usize, length: u32, before: Map<string, Server>): void {
    let number: u32 = 0;
    let name = "";
    let protocol = Protocol.DoT;
    let ecs = false;
    let strategy = Strategy.Ordered;
    let isPadded = true;
    let traceContext = false;
    let checkInterval: u64 = 0;
    let checkName: usize = 0;
    let checkNameLength: u32 = 0;
    const servers: Server[] = [];
    const priorities: u32[] = [];
    const reader = this.upstream.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          number = <u32>reader.number();
          break;
        case 2:
          name = text(reader);
          break;
        case 3:
          protocol = <Protocol>reader.number();
          break;
        case 4:
          reader.bytes();
          if (!reader.failed) {
            servers.push(this.readServer(reader.bytesAt, reader.bytesLength, before));
            priorities.push(this.priority);
          }
          break;
        case 5:
          ecs = reader.number() != 0;
          break;
        case 6:
          strategy = <Strategy>reader.number();
          break;
        case 7:
          isPadded = reader.number() == 0;
          break;
        case 8:
          checkInterval = reader.number() * 1000;
          break;
        case 9:
          reader.bytes();
          checkName = reader.failed ? 0 : reader.bytesAt;
          checkNameLength = reader.bytesLength;
          break;
        case 10:
          traceContext = reader.number() != 0;
          break;
        default:
          reader.skip();
      }
    }
    const upstream = new Upstream(number, new Text(name), protocol, ecs);
    for (let i = 0; i < servers.length; i++) {
      upstream.servers.push(servers[i]);
      upstream.priorities.push(priorities[i]);
    }
    upstream.strategy = strategy;
    upstream.isPadded = isPadded;
    upstream.traceContext = traceContext;
    if (checkName != 0 && isName(checkName, checkNameLength)) {
      upstream.checkInterval = checkInterval;
      if (checkInterval != 0) this.checked.push(upstream);
      upstream.checkName = new ArrayBuffer(checkNameLength);
      memory.copy(changetype<usize>(upstream.checkName), checkName, checkNameLength);
    }
    upstream.latencyMetric = this.metric(name);
    this.byNumber.set(number, upstream);
  }

  private readServer(at: usize, length: u32, before: Map<string, Server>): Server {
    let cluster = "";
    let authority = "";
    let path = "";
    this.priority = 0;
    const reader = this.server.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) cluster = text(reader);
      else if (reader.field == 3) authority = text(reader);
      else if (reader.field == 4) path = text(reader);
      else if (reader.field == 5) this.priority = <u32>reader.number();
      else reader.skip();
    }
    if (this.servers.has(cluster)) return this.servers.get(cluster);
    const server = before.has(cluster)
      ? before.get(cluster)
      : new Server(new Text(cluster), new Text(authority), new Text(path));
    this.servers.set(cluster, server);
    return server;
  }

  private metric(name: string): u32 {
    if (this.metrics.has(name)) return this.metrics.get(name);
    const id = defineMetric(Metric.Histogram, "dns.upstream_ms.upstream." + metricPart(name));
    this.metrics.set(name, id);
    return id;
  }
}

function text(reader: ProtoReader): string {
  reader.bytes();
  return reader.failed ? "" : String.UTF8.decodeUnsafe(reader.bytesAt, reader.bytesLength);
}
