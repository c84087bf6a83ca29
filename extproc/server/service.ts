/**
 * The policy service, put together: what main.ts starts, and tests too.
 */

import { asksForPods } from "../compiled/pods.ts";
import { parseAddress } from "../decide/address.ts";
import { presentAddress } from "../dns/address.ts";
import type { Endpoint } from "../endpoint.ts";
import type { ListStatus } from "../lists/followed-list.ts";
import { LocalMesh } from "../mesh/local-mesh.ts";
import type { MeshRoom } from "../mesh/mesh-room.ts";
import { type Pods, podsOf } from "../mesh/pods.ts";
import { parseObjects } from "../mesh/sources/parse-objects.ts";
import type { PolicySource } from "../store/policy-source.ts";
import type { ClientPod } from "../telemetry/client-pods.ts";
import { LocalTelemetry, type TelemetryRoom } from "../telemetry/local-telemetry.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { noQueryLog, type QueryLog } from "../telemetry/query-log.ts";
import { ReportQueue } from "../telemetry/report-queue.ts";
import { telemetryOf, USUAL_SETTINGS } from "../telemetry/settings.ts";
import { type AdminListener, startAdminServer } from "./admin/admin-server.ts";
import type { AuditLog } from "./admin/audit.ts";
import type { Page } from "./admin/page.ts";
import { accessLog } from "./authorization/access-log.ts";
import { authorization } from "./authorization/authorization.ts";
import { Authorizer } from "./authorization/authorizer.ts";
import { connectionRecord } from "./authorization/connection-record.ts";
import { rateLimit } from "./authorization/rate-limit.ts";
import { askCertificate } from "./certificates/ask-certificate.ts";
import { UpstreamCertificates } from "./certificates/upstream-certificates.ts";
import type { Clock } from "./clock.ts";
import { Control } from "./control.ts";
import { Opa } from "./decision-points/ask-opa.ts";
import { type Decide, DecisionPoints } from "./decision-points/decision-points.ts";
import { extProc } from "./decisions/ext-proc.ts";
import { DiscoveryService } from "./discovery/discovery-service.ts";
import { type ServerTls, startGrpcServer } from "./grpc-server.ts";
import { Health } from "./health.ts";
import type { Logger } from "./logger.ts";
import type { ReadObjects } from "./mesh-change.ts";
import { Rollout } from "./rollout.ts";
import { watchStandstill } from "./standstill.ts";
import { WorkerRegistry } from "./sync/registry.ts";
import { SyncService } from "./sync/sync-service.ts";
import { Token } from "./token.ts";

export interface ServiceOptions {
  /** A random number, by which workers tell it from others: fixed64, decimal. */
  readonly identity?: string;
  /** Where gRPC is served. */
  readonly listen: readonly Endpoint[];
  readonly admin: readonly AdminListener[];
  readonly tls?: ServerTls | undefined;
  /** Asked of everybody who calls by gRPC. */
  readonly token?: string | undefined;
  /** PEM to trust for upstream servers that name no authorities. */
  readonly defaultCa: string;
  /** For how long workers use verdicts without the service: as in their configuration. */
  readonly lastGoodMs: number;
  /** How long workers of an earlier run may take to come back; 0 where there was none. */
  readonly returnMs?: number;
  /** Figures of this Node process on /metrics. */
  readonly processMetrics?: boolean;
  readonly source: PolicySource;
  /** By default on this thread, and empty until objects are pushed. */
  readonly mesh?: MeshRoom;
  /** By default on this thread. */
  readonly readObjects?: ReadObjects;
  /** What has been read of the lists of names. */
  readonly lists?: () => readonly ListStatus[];
  /** How often upstream servers are looked at, until when their certificates are valid; undefined: never. */
  readonly certificatesMs?: number | undefined;
  readonly decide: Decide;
  readonly queryLog: QueryLog;
  /** Of connections that Envoys have asked about. */
  readonly connectionLog?: QueryLog | undefined;
  /** By default on this thread. */
  readonly telemetry?: TelemetryRoom | undefined;
  /** Of the admin API. */
  readonly audit?: AuditLog | undefined;
  /** For browsers, on the admin API's TCP ports. */
  readonly page?: Page | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** setImmediate. */
  readonly later: (task: () => void) => void;
}

export interface Service {
  readonly listen: readonly Endpoint[];
  readonly admin: readonly Endpoint[];
  readonly control: Control;
  /** Takes nothing new, ends what is under way, writes out the query log. The source stays open. */
  close(): Promise<void>;
}

/** Changes of pods of so many milliseconds are told at once: workers then ask anew who each client is. */
const CLIENTS_MS = 20;

const SERVICES = [
  "envoy.service.ext_proc.v3.ExternalProcessor",
  "envoy.service.accesslog.v3.AccessLogService",
  "envoy.service.auth.v3.Authorization",
  "envoy.service.cluster.v3.ClusterDiscoveryService",
  "envoy.service.discovery.v3.AggregatedDiscoveryService",
  "envoy.service.ratelimit.v3.RateLimitService",
  "dns.mesh.v1.Sync",
];

export async function startService(options: ServiceOptions): Promise<Service> {
  const { source, clock, logger, queryLog, connectionLog = noQueryLog, defaultCa, lastGoodMs } = options;
  const { identity = "1", returnMs = 0 } = options;
  const mesh = options.mesh ?? (await openMesh(clock, logger));
  let clientsDue = false;
  const knowsPods = () => rollout.inForce !== undefined && asksForPods(rollout.inForce.tables.pods);
  const pods = podsOf(mesh.clients, (addresses) => {
    tellClients(clientPods(pods, addresses));
    if (clientsDue || !knowsPods()) return;
    clientsDue = true;
    clock.after(CLIENTS_MS, () => {
      clientsDue = false;
      sync.clientsChanged();
    });
  });
  let listed = false;
  void mesh.ask("listed", undefined).then(
    () => {
      listed = true;
    },
    () => {},
  );
  const decideAtOnce: Decide = (snapshot, request) => {
    if (!asksForPods(snapshot.tables.pods)) return options.decide(snapshot, request);
    // Who is nobody's pod so far might be one's.
    if (!listed) throw new Error("pods are not listed yet");
    return options.decide(snapshot, { ...request, pod: pods.at(request.address) });
  };
  const token = options.token === undefined ? undefined : new Token(options.token);
  const metrics = createMetrics({ process: options.processMetrics ?? false });
  const opa = new Opa(clock);
  const { decide } = new DecisionPoints({
    decide: decideAtOnce,
    ask: opa.ask,
    clock,
    logger,
    onAnswer: (point, answer, seconds) => {
      metrics.pointAnswers.inc({ point, answer });
      metrics.pointDuration.observe({ point }, seconds);
    },
  });
  const health = new Health(SERVICES);
  const registry = new WorkerRegistry({ lastGoodMs, now: () => clock.now() });
  const clusters = new DiscoveryService({
    token,
    secret: options.token,
    clock,
    logger,
    defaultCa,
    watchDestinations: (listener) => mesh.watchDestinations(listener),
  });
  const certificates = new UpstreamCertificates({ clock, everyMs: options.certificatesMs, ask: askCertificate });
  const telemetry = options.telemetry ?? new LocalTelemetry({ now: () => clock.now() });
  const tellClients = telemetry.followClients(() => clientPods(pods, pods.addresses()));
  const reports = new ReportQueue({ metrics, queryLog, telemetry, later: options.later });
  const sync = new SyncService({
    identity,
    token,
    clock,
    logger,
    registry,
    revision: () => rollout.inForce?.revision,
    clientsChange: knowsPods,
    mesh,
    telemetry: () => rollout.inForce?.tables.telemetry ?? USUAL_SETTINGS,
    onNodeGone: (node) => clusters.sendAway(node),
    onReport: (report, node, done) => reports.push(report, node, done),
  });
  const rollout: Rollout = new Rollout({
    clock,
    clusters,
    registry,
    returnMs,
    // A name that is not a tenant's any more is gone before anything goes by the new policy.
    prepare: async (snapshot) => mesh.ask("configure", snapshot.tables.mesh),
    enforce: (snapshot) => {
      telemetry.configure(snapshot.tables.telemetry);
      certificates.follow(snapshot.clusters);
      sync.broadcast(snapshot.revision);
      health.serving = true;
      logger.info({ sequence: snapshot.sequence, hash: snapshot.hash }, "a policy is in force");
    },
  });
  const decisions = extProc({
    identity,
    token,
    clock,
    logger,
    policy: () => rollout.inForce,
    decide,
    onDecision: (outcome, seconds) => {
      metrics.decisions.inc({ outcome });
      metrics.decisionDuration.observe(seconds);
    },
  });
  const authorizer = new Authorizer({
    clock,
    policy: () => rollout.inForce,
    decide,
    mesh,
    pods,
    telemetry,
    onJudged: (connection, judgement, seconds) => {
      const { outcome, tenant } = judgement;
      metrics.connectionChecks.inc({ tenant: metrics.tenants.label(tenant), outcome });
      metrics.connectionCheckDuration.observe(seconds);
      if (outcome === "unchecked") return;
      const { name } = judgement;
      const target = { address: presentAddress(connection.address), port: connection.port };
      telemetry.connection({ tenant, outcome, ...target, ...(name === undefined ? {} : { name }) });
      const privacy = telemetryOf(rollout.inForce?.tables.telemetry ?? USUAL_SETTINGS, tenant);
      connectionLog.write(connectionRecord(clock.now(), connection, judgement, privacy));
    },
  });
  const control = new Control({
    source,
    decide,
    clock,
    rollout,
    registry,
    sync,
    clusters,
    health,
    metrics,
    mesh,
    readObjects: options.readObjects ?? (async (sources) => parseObjects(sources)),
    pods,
    telemetry,
    certificates,
    lists: options.lists ?? (() => []),
    logger,
  });

  const stopWatching = watchStandstill(clock, {
    onStandstill: () => {
      logger.warn({}, "this service has stood still: others are asked until it has caught up");
      health.serving = false;
    },
    onCaughtUp: () => {
      health.serving = rollout.inForce !== undefined;
    },
  });
  const first = source.current();
  if (first !== undefined) rollout.start(first);
  const stopListening = source.onChange((snapshot) => rollout.offer(snapshot));
  const stopSync = (): void => {
    stopWatching();
    stopListening();
    sync.close();
    pods.close();
  };
  const opened = accessLog({
    token,
    onConnection: (event) => {
      const tenant = metrics.tenants.label(event.tenant);
      metrics.connections.inc({ tenant, outcome: event.outcome });
      if (event.connectUs !== undefined) metrics.connectDuration.observe({ tenant }, event.connectUs / 1e6);
      telemetry.connection(event);
    },
  });
  const questions = { token, logger, authorizer };
  const connections = [authorization(questions), rateLimit(questions), opened];
  const services = [decisions, ...connections, sync.grpc, ...clusters.grpc, health.grpc];
  const grpc = await startGrpcServer(options.listen, services, clock, options.tls).catch((error) => {
    stopSync();
    throw error;
  });
  const admin = await startAdminServer(options.admin, {
    control,
    clock,
    logger,
    audit: options.audit,
    page: options.page,
  }).catch(async (error) => {
    stopSync();
    await grpc.close();
    throw error;
  });
  const close = async (): Promise<void> => {
    health.close();
    await admin.close();
    await rollout.close();
    const ended = grpc.close();
    stopSync();
    clusters.close();
    certificates.close();
    await ended;
    opa.close();
    await telemetry.close();
    await queryLog.close();
    await connectionLog.close();
  };
  return { listen: grpc.endpoints, admin: admin.endpoints, control, close };
}

/** Addresses that are several pods' are nobody's. */
function clientPods(pods: Pods, addresses: Iterable<string>): ClientPod[] {
  return [...addresses].flatMap((text) => {
    const address = parseAddress(text);
    if (address === undefined) return [];
    const { namespace = "", name = "" } = pods.at(address) ?? {};
    return [{ address, namespace, workload: name }];
  });
}

function openMesh(clock: Clock, logger: Logger): Promise<MeshRoom> {
  return LocalMesh.open(
    {},
    {
      now: () => clock.now(),
      after: (milliseconds, task) => void clock.after(milliseconds, task),
      onTrouble: (level, fields, message) => logger[level](fields, message),
    },
  );
}
