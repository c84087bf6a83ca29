// Every limit of the filter, its default and the reason for it. The VM's configuration overrides them by name, one
// `name=value` a line; sizes are for the whole Envoy process and are divided by its workers here.

/** Of the 1 GiB that a VM may have (maximumMemory in asconfig.json). */
const MAX_KEPT_BYTES: u32 = 512 << 20;

export class Settings {
  /** Name of this Envoy, for Sync. */
  node: string = "envoy";
  /** Secret for Sync, where the policy service asks for one. */
  token: string = "";
  /** Workers of the process (--concurrency). */
  concurrency: u32 = 1;

  /** Octets of answers and verdicts that a process keeps. */
  answerCacheBytes: u32 = 64 << 20;
  verdictCacheBytes: u32 = 8 << 20;
  /** Octets of rates that are counted: some 20,000 to the megabyte. */
  meterBytes: u32 = 4 << 20;
  /** Octets of names of the mesh; 100,000 services take some 40 MB. While a table is told anew, it takes twice as much. */
  meshTableBytes: u32 = 128 << 20;
  /** Seconds: a day, since TTLs above it are mistakes more often than not (RFC 8767, section 4: at most a week). */
  maxTtl: u32 = 86400;
  /** Seconds: RFC 2308, section 5 advises one to three hours. */
  maxNegativeTtl: u32 = 3600;
  /** Seconds that an answer may outlive its TTL when no upstream answers (RFC 8767); 0 is off. */
  staleSeconds: u32 = 0;

  /** A try of an upstream server; two of them leave a stub (5 s) time to hear of the failure. */
  upstreamTryMilliseconds: u32 = 1500;
  upstreamTries: u32 = 2;
  upstreamMilliseconds: u32 = 4000;

  /** The policy service decides in well under a millisecond; beyond this it counts as away. */
  decisionMilliseconds: u32 = 200;
  decisionsPerClient: u32 = 16;
  decisionsPerTenant: u32 = 64;
  decisionsPerWorker: u32 = 512;
  /** Seconds for which verdicts go on to hold while the policy service is away. */
  lastGoodSeconds: u32 = 600;
  /** Milliseconds without a word from the policy service after which it counts as away; it speaks every second. */
  silenceMilliseconds: u32 = 3000;

  /** Queries that wait, of one client, one tenant, and in one worker. */
  pendingPerClient: u32 = 1000;
  pendingPerTenant: u32 = 8192;
  pendingPerWorker: u32 = 16384;
  /** Octets of answers that queries hold while they wait to hear of the names in them: an answer has up to 64 KiB. */
  pendingBytesPerTenant: u32 = 8 << 20;
  pendingBytesPerWorker: u32 = 32 << 20;
  /** A stub has gone on after this long (RFC 1536 and common resolvers: 5 s). */
  patienceMilliseconds: u32 = 5000;

  /** TCP and DoT connections. */
  streamIdleMilliseconds: u32 = 10_000;
  streamReadMilliseconds: u32 = 2_000;
  streamInFlight: u32 = 100;
  streamsPerClient: u32 = 20;
  streamLifetimeSeconds: u32 = 300;
  /** Octets of half-read queries in a worker. */
  streamInputBytes: u32 = 8 << 20;
  /** Octets of answers a second in a process: a client that does not read holds up to two seconds of its share. */
  streamOutputBytes: u32 = 16 << 20;

  /** UDP sessions. */
  udpSessions: u32 = 50_000;
  udpSessionsPerClient: u32 = 5_000;
  /** Well below the idle_timeout of udp_proxy in Envoy's configuration (500 ms). */
  udpKeepAliveMilliseconds: u32 = 150;
  /** DNS flag day 2020. */
  udpSize: u32 = 1232;

  /** What is wrong with the configuration, or empty. */
  error: string = "";

  parse(text: string): void {
    const lines = text.split("\n");
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i].trim();
      if (line.length == 0 || line.startsWith("#")) continue;
      const equals = line.indexOf("=");
      const name = equals < 0 ? line : line.substring(0, equals);
      const value = equals < 0 ? "" : line.substring(equals + 1);
      if (name == "node") this.node = value;
      else if (name == "token") this.token = value;
      else if (!isNumber(value)) this.error = "VM configuration, " + name + ": expected a number, got '" + value + "'";
      else if (!this.set(name, <u32>I64.parseInt(value)))
        this.error = "VM configuration: unknown setting '" + name + "'";
    }
    if (this.concurrency == 0) this.concurrency = 1;
    this.checkMemory();
  }

  /**
   * An allocation that fails ends the VM: so what is bounded in octets has to fit in the first place. Keys, tables and
   * the allocator's gaps take up to half as much again, and connections and waiting queries need room beside it.
   */
  private checkMemory(): void {
    const caches = this.share(this.answerCacheBytes) + this.share(this.verdictCacheBytes);
    // While a name table is told anew, there are two.
    const octets = caches + 2 * this.share(this.meshTableBytes) + this.streamInputBytes + this.pendingBytesPerWorker;
    if (octets > MAX_KEPT_BYTES && this.error.length == 0) {
      const limit = MAX_KEPT_BYTES.toString();
      const names =
        "answer_cache_bytes, verdict_cache_bytes and twice mesh_table_bytes for each worker, stream_input_bytes and " +
        "pending_bytes_per_worker";
      this.error = "VM configuration: expected at most " + limit + " octets in " + names + ", got " + octets.toString();
    }
  }

  private set(name: string, value: u32): bool {
    if (name == "concurrency") this.concurrency = value;
    else if (name == "answer_cache_bytes") this.answerCacheBytes = value;
    else if (name == "verdict_cache_bytes") this.verdictCacheBytes = value;
    else if (name == "meter_bytes") this.meterBytes = value;
    else if (name == "mesh_table_bytes") this.meshTableBytes = value;
    else if (name == "max_ttl") this.maxTtl = value;
    else if (name == "max_negative_ttl") this.maxNegativeTtl = value;
    else if (name == "stale_seconds") this.staleSeconds = value;
    else if (name == "upstream_try_milliseconds") this.upstreamTryMilliseconds = value;
    else if (name == "upstream_tries") this.upstreamTries = value;
    else if (name == "upstream_milliseconds") this.upstreamMilliseconds = value;
    else if (name == "decision_milliseconds") this.decisionMilliseconds = value;
    else if (name == "decisions_per_client") this.decisionsPerClient = value;
    else if (name == "decisions_per_tenant") this.decisionsPerTenant = value;
    else if (name == "decisions_per_worker") this.decisionsPerWorker = value;
    else if (name == "last_good_seconds") this.lastGoodSeconds = value;
    else if (name == "silence_milliseconds") this.silenceMilliseconds = value;
    else if (name == "pending_per_client") this.pendingPerClient = value;
    else if (name == "pending_per_tenant") this.pendingPerTenant = value;
    else if (name == "pending_per_worker") this.pendingPerWorker = value;
    else if (name == "pending_bytes_per_tenant") this.pendingBytesPerTenant = value;
    else if (name == "pending_bytes_per_worker") this.pendingBytesPerWorker = value;
    else if (name == "patience_milliseconds") this.patienceMilliseconds = value;
    else if (name == "stream_idle_milliseconds") this.streamIdleMilliseconds = value;
    else if (name == "stream_read_milliseconds") this.streamReadMilliseconds = value;
    else if (name == "stream_in_flight") this.streamInFlight = value;
    else if (name == "streams_per_client") this.streamsPerClient = value;
    else if (name == "stream_lifetime_seconds") this.streamLifetimeSeconds = value;
    else if (name == "stream_input_bytes") this.streamInputBytes = value;
    else if (name == "stream_output_bytes") this.streamOutputBytes = value;
    else if (name == "udp_sessions") this.udpSessions = value;
    else if (name == "udp_sessions_per_client") this.udpSessionsPerClient = value;
    else if (name == "udp_keep_alive_milliseconds") this.udpKeepAliveMilliseconds = value;
    else if (name == "udp_size") this.udpSize = value;
    else return false;
    return true;
  }

  /** A worker's part of a limit of the process, 1 at least. */
  partOf(limit: u32): u32 {
    return (limit + this.concurrency - 1) / this.concurrency;
  }

  /** A worker's part of what is given for the process. */
  share(value: u32): u32 {
    return value / this.concurrency;
  }
}

function isNumber(text: string): bool {
  if (text.length == 0 || text.length > 9) return false;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i);
    if (digit < 0x30 || digit > 0x39) return false;
  }
  return true;
}
