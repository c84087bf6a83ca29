// Which connection or request a proxy-wasm context is: the transports of one VM, made as Envoy creates contexts and
// ended as it deletes them.

import { Client } from "./flow/clients";
import { Flow } from "./flow/flow";
import { Settings } from "./flow/settings";
import { TenantConnections } from "./flow/tenant-connections";
import { readLength, readProperty, Text } from "./host/host";
import { DnsStream } from "./transport/dns-stream";
import { DohConnection } from "./transport/doh/connection";
import { pathAt, pathLength } from "./transport/doh/message";
import { DohRequest } from "./transport/doh/request";
import { Evidence, internEvidence, Listener, path, principal, serverName, setSpan } from "./transport/evidence";
import { Peer } from "./transport/peer";
import { PipeFraming } from "./transport/pipe-framing";
import { Stream, StreamLimits, Streams } from "./transport/stream";
import { Transport } from "./transport/transport";
import { parseAddress } from "./transport/tunnel/address";
import { TunnelConnection, TunnelLimits } from "./transport/tunnel/connection";

/** What a plugin of Envoy's configuration is for. */
export const enum Role {
  None,
  /** The HTTP/2 of the UDP tunnel. */
  Tunnel,
  /** DNS over TCP and TLS. */
  Stream,
  /** DNS over HTTPS over HTTP/2, all of it. */
  Http2,
  /** DNS over HTTPS, a request at a time that Envoy's HTTP has read. */
  Doh,
  Pipe,
}

export class Plugin {
  constructor(
    readonly role: Role,
    readonly listener: Listener,
  ) {}
}

const SOURCE_ADDRESS = new Text("source\0address");
const CONNECTION_ID = new Text("connection\0id");
const SERVER_NAME = new Text("connection\0requested_server_name");
/** All URI SANs of the client's certificate, comma between them; the bootstrap keeps them there (envoy/tls.ts). */
const URI_SANS = new Text("filter_state\0dns.uri_sans");
const TICK_MICROSECONDS: u32 = 50_000;

/** Peers of HTTP connections, by the connection's number: a connection has one peer, and many requests. */
const HTTP_PEERS: u32 = 4096;

class HttpPeer extends Peer {
  connection: u64 = 0;
}

@final
export class Contexts {
  readonly streams: Streams;
  private readonly tenants: TenantConnections;
  private readonly tunnelLimits: TunnelLimits = new TunnelLimits();
  private readonly streamById: Map<u32, Stream> = new Map<u32, Stream>();
  private readonly clientById: Map<u32, Client> = new Map<u32, Client>();
  private readonly tunnelById: Map<u32, TunnelConnection> = new Map<u32, TunnelConnection>();
  private readonly tunnels: Array<TunnelConnection> = new Array<TunnelConnection>();
  private readonly requestById: Map<u32, DohRequest> = new Map<u32, DohRequest>();
  private readonly pipeById: Map<u32, PipeFraming> = new Map<u32, PipeFraming>();
  private readonly pluginById: Map<u32, Plugin> = new Map<u32, Plugin>();
  private readonly httpPeers: StaticArray<HttpPeer | null> = new StaticArray<HttpPeer | null>(HTTP_PEERS);
  /** Contexts created, as a measure of garbage. */
  created: u32 = 0;

  constructor(
    private readonly flow: Flow,
    private readonly settings: Settings,
  ) {
    this.tenants = new TenantConnections(settings);
    const limits = new StreamLimits();
    limits.idle = <u64>settings.streamIdleMilliseconds * 1000;
    limits.reading = <u64>settings.streamReadMilliseconds * 1000;
    limits.lifetime = <u64>settings.streamLifetimeSeconds * 1_000_000;
    limits.inFlight = settings.streamInFlight;
    limits.input = settings.share(settings.streamInputBytes);
    limits.outputPerTick = settings.share(settings.streamOutputBytes) / (1_000_000 / TICK_MICROSECONDS);
    this.streams = new Streams(limits);
    this.tunnelLimits.sessions = settings.share(settings.udpSessions);
    this.tunnelLimits.perSource = settings.udpSessionsPerClient;
    this.tunnelLimits.keepAlive = <u64>settings.udpKeepAliveMilliseconds * 1000;
  }

  /** A context of this plugin begins. */
  create(id: u32, plugin: Plugin): void {
    this.created++;
    if (plugin.role == Role.Doh) {
      this.requestById.set(id, new DohRequest(id, this.flow));
      this.pluginById.set(id, plugin);
    } else if (plugin.role == Role.Pipe) {
      this.pipeById.set(id, new PipeFraming());
    } else if (plugin.role == Role.Stream || plugin.role == Role.Http2) {
      this.streamById.set(id, this.newStream(id, plugin.role));
      this.pluginById.set(id, plugin);
    } else if (plugin.role == Role.Tunnel) {
      const tunnel = new TunnelConnection(id, plugin.listener, this.flow, this.tunnelLimits);
      this.tunnelById.set(id, tunnel);
      this.tunnels.push(tunnel);
    }
  }

  private newStream(id: u32, role: Role): Stream {
    const now = this.flow.now;
    if (role == Role.Http2) return new DohConnection(id, this.streams, this.flow, now);
    return new DnsStream(id, this.streams, this.flow, now);
  }

  delete(id: u32): void {
    if (this.requestById.has(id)) {
      this.requestById.get(id).open = false;
      this.requestById.delete(id);
    } else if (this.streamById.has(id)) {
      const stream = this.streamById.get(id);
      stream.closed();
      this.tenants.closed(stream);
      this.streamById.delete(id);
      if (this.clientById.has(id)) {
        const client = this.clientById.get(id);
        this.clientById.delete(id);
        client.connections--;
        this.flow.clients.settle(client);
      }
    } else if (this.tunnelById.has(id)) {
      const tunnel = this.tunnelById.get(id);
      tunnel.closed();
      this.tunnelById.delete(id);
      this.tunnels.splice(this.tunnels.indexOf(tunnel), 1);
    } else if (this.pipeById.has(id)) {
      this.pipeById.get(id).closed();
      this.pipeById.delete(id);
    }
    this.pluginById.delete(id);
  }

  tunnel(id: u32): TunnelConnection | null {
    return this.tunnelById.has(id) ? this.tunnelById.get(id) : null;
  }

  pipe(id: u32): PipeFraming | null {
    return this.pipeById.has(id) ? this.pipeById.get(id) : null;
  }

  request(id: u32): DohRequest | null {
    return this.requestById.has(id) ? this.requestById.get(id) : null;
  }

  /** The stream of this context, with its peer known; null where it is none or was refused. */
  stream(id: u32): Stream | null {
    if (!this.streamById.has(id)) return null;
    const stream = this.streamById.get(id);
    // Not before the first data: identity is not there while the handshake runs.
    if (stream.peer.evidence === null && !this.identifyStream(id, stream)) {
      stream.end();
      return null;
    }
    if (stream.countedTenant == 0 && stream.open && !this.tenants.admit(stream, this.flow.tenantOf(stream.peer))) {
      stream.end();
      return null;
    }
    return stream;
  }

  private identifyStream(id: u32, stream: Stream): bool {
    const peer = stream.peer;
    if (!readAddress(peer)) return false;
    setSpan(path, 0, 0);
    peer.evidence = readEvidence(this.pluginById.get(id).listener);
    const client = this.flow.clients.of(peer);
    if (client.connections >= this.settings.streamsPerClient) {
      this.flow.clients.settle(client);
      return false;
    }
    client.connections++;
    this.clientById.set(id, client);
    return true;
  }

  /** The peer of a DoH request whose path was read; null where its address is unknown. */
  identifyRequest(id: u32): Peer | null {
    const listener = this.pluginById.get(id).listener;
    const value = readProperty(CONNECTION_ID);
    const connection = value != 0 && readLength == 8 ? load<u64>(value) : 0;
    const slot = <u32>connection & (HTTP_PEERS - 1);
    let peer = unchecked(this.httpPeers[slot]);
    if (peer === null || peer.connection != connection || connection == 0) {
      peer = new HttpPeer();
      peer.connection = connection;
      if (!readAddress(peer)) return null;
      unchecked((this.httpPeers[slot] = peer));
    } else {
      const evidence = peer.evidence;
      if (evidence !== null && evidence.hasPath(pathAt, pathLength)) return peer;
    }
    // Another path on the same connection is another client to policy.
    setSpan(path, pathAt, pathLength);
    peer.evidence = readEvidence(listener);
    peer.subjectEpoch = 0;
    return peer;
  }

  /** Every tick. */
  tick(): void {
    this.streams.tick(this.flow.now, this.flow.isDraining);
    for (let i = 0; i < this.tunnels.length; i++) unchecked(this.tunnels[i]).tick(this.flow.now);
  }
}

function readAddress(peer: Peer): bool {
  const address = readProperty(SOURCE_ADDRESS);
  return address != 0 && parseAddress(address, readLength, peer);
}

/** The evidence of the effective context's connection, with what stands in `path`. */
function readEvidence(listener: Listener): Evidence {
  const transport = listener.transport;
  if (transport == Transport.Tcp || transport == Transport.Udp) return listener.evidence;
  const name = readProperty(SERVER_NAME);
  setSpan(serverName, name, readLength);
  const uris = readProperty(URI_SANS);
  // A SPIFFE identity has exactly one (X509-SVID, section 2); two are nobody's.
  setSpan(principal, hasComma(uris, readLength) ? 0 : uris, readLength);
  return internEvidence(listener);
}

function hasComma(at: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(at + i) == 0x2c) return true;
  }
  return false;
}
