/**
 * `dnspolicy serve`: opens the policy's source, starts the service, and stops both when asked to.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { type DestinationStream, pino } from "pino";
import type { Compiler } from "../compile-thread/compiler.ts";
import { startCompiler } from "../compile-thread/compiler.ts";
import { decide } from "../decide/decide.ts";
import { formatEndpoint } from "../endpoint.ts";
import { Etcd, type EtcdOptions } from "../etcd/etcd.ts";
import { KubernetesApi } from "../kubernetes/api.ts";
import { startListReader } from "../lists/list-reader.ts";
import { NameLists } from "../lists/name-lists.ts";
import type { MeshPlaces } from "../mesh/local-mesh.ts";
import type { MeshRoom } from "../mesh/mesh-room.ts";
import { startMesh } from "../mesh/thread.ts";
import { formatProblem, type Problem } from "../resources/problem.ts";
import { readPage } from "../server/admin/page.ts";
import type { Control } from "../server/control.ts";
import { warmUp } from "../server/decisions/warm-up.ts";
import { takeDuties as takeEtcdDuties } from "../server/etcd/duties.ts";
import { takeDuties } from "../server/kubernetes/duties.ts";
import type { Logger } from "../server/logger.ts";
import { type Service, startService } from "../server/service.ts";
import { EtcdVersions } from "../store/etcd/etcd-versions.ts";
import { followState } from "../store/kubernetes/published-state.ts";
import type { PolicyStore } from "../store/policy-store.ts";
import { openSharedStore, openStore } from "../store/store.ts";
import { type WatchedPolicy, watchDirectory, watchPolicy } from "../store/watch.ts";
import { AuditFile } from "../telemetry/audit-log.ts";
import type { TelemetryRoom } from "../telemetry/local-telemetry.ts";
import { fileLog, noQueryLog, type QueryLog, StreamLog } from "../telemetry/query-log.ts";
import { startTelemetry } from "../telemetry/thread.ts";
import { type NotifyEndpoint, type NotifyServer, startNotifyServer } from "../transfer/notify-server.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { readPublicRoots } from "./public-roots.ts";
import type { ServeOptions } from "./serve-options.ts";

/** Filters come back within 0.5 s, Envoy's cluster within 1 s. */
const RETURN_MS = 1500;

/** For the API to tell what is in force, at the start. */
const STATE_MS = 5000;

/** Beside a bundled service, beside a built one, and where it is built for one that runs from its sources. */
const PAGE_PLACES = ["./page/", "../../page/", "../../build/page/"];

export async function serve(context: Context, options: ServeOptions): Promise<ExitCode> {
  const logger = pino(
    { name: "dnspolicy", level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    context.stderr as DestinationStream & NodeJS.WritableStream,
  );
  const stopped = new Promise<string>((resolve) => context.onStop(resolve));
  const compiler = startCompiler();
  const { source: place } = options;
  const reader = startListReader(place.mode === "store" ? join(place.directory, "lists") : undefined);
  const lists = new NameLists({
    reader,
    directory: options.listDirectory,
    now: () => context.clock.now(),
    every: (milliseconds, task) => context.clock.every(milliseconds, task),
    after: (milliseconds, task) => context.clock.after(milliseconds, task),
    onTrouble: (fields, message) => logger.warn(fields, message),
  });
  let source: OpenedSource | undefined;
  let mesh: MeshRoom | undefined;
  let audit: AuditFile | undefined;
  let telemetry: TelemetryRoom | undefined;
  let notify: NotifyServer | undefined;
  try {
    let onMeshFailed = (_error: Error): void => {};
    const meshFailed = new Promise<Error>((resolve) => {
      onMeshFailed = resolve;
    });
    mesh = await openMesh(options, logger, onMeshFailed);
    source = await openSource(options, { compiler, lists, context, logger, mesh });
    for (const warning of source.policy.status().warnings) logger.warn({ problem: formatProblem(warning) }, "policy");
    const queryLog = openLog("query log", options.queryLog, context, logger);
    const connectionLog = openLog("connection log", options.connectionLog, context, logger);
    notify = await openNotify(options.listNotify, lists, mesh, logger);
    audit = await openAuditLog(options.auditLog, logger);
    telemetry = await openTelemetry(options, context, logger);
    context.onReopen(() => {
      queryLog.reopen();
      connectionLog.reopen();
      logger.info({}, "the logs of queries and connections are opened anew");
      void audit?.reopen();
      options.reloadCredentials().then(
        () => logger.info({}, "who may use the admin API is read anew"),
        (error: Error) => logger.error({ err: error }, "who may use the admin API stays as it was"),
      );
    });
    const identity = randomBytes(8).readBigUInt64LE().toString();
    const first = source.policy.current();
    if (first !== undefined) warmUp(first, { identity, decide, clock: context.clock });
    const service = await startService({
      identity,
      listen: options.listen,
      admin: options.admin,
      tls: options.tls,
      token: options.token,
      defaultCa: (options.upstreamCa ?? "") + (await readPublicRoots()),
      certificatesMs: options.certificatesMs,
      lastGoodMs: options.lastGoodMs,
      returnMs: source.isNew ? 0 : RETURN_MS,
      processMetrics: true,
      source: source.policy,
      mesh,
      readObjects: (sources) => compiler.readObjects(sources),
      lists: () => lists.status(),
      decide,
      queryLog,
      connectionLog,
      telemetry,
      audit,
      page: await readPage(PAGE_PLACES.map((place) => new URL(place, import.meta.url))),
      clock: context.clock,
      logger,
      later: setImmediate,
    });
    const stopMetrics = await startOtlpMetrics(options, service, context, logger);
    const listen = service.listen.map(formatEndpoint);
    const admin = service.admin.map(formatEndpoint);
    const layDuties = source.takeDuties?.(service.control);
    logger.info({ listen, admin, policy: source.policy.status().directory }, "the policy service is up");
    const reason = await Promise.race([stopped, meshFailed]);
    // Who starts it anew gives it a mesh again; workers answer by what they know until then.
    if (reason instanceof Error)
      logger.error({ err: reason }, "the policy service is stopping: it has no mesh any more");
    else logger.info({ signal: reason }, "the policy service is stopping");
    await stopMetrics();
    await layDuties?.();
    await service.close();
    logger.info({}, "the policy service has stopped");
    return reason instanceof Error ? ExitCode.FAILED : ExitCode.OK;
  } finally {
    await notify?.close();
    lists.close();
    await source?.close();
    await mesh?.close();
    await audit?.close();
    await telemetry?.close();
    await compiler.close();
    await reader.close();
  }
}

interface OpenedSource {
  readonly policy: PolicyStore | WatchedPolicy;
  /** Nobody obeys a policy of it yet. */
  readonly isNew: boolean;
  /** What this service does for others of its store. Returns how to lay that down. */
  readonly takeDuties?: (control: Control) => () => Promise<void>;
  close(): Promise<void>;
}

interface SourceParts {
  readonly compiler: Compiler;
  readonly lists: NameLists;
  readonly context: Context;
  readonly logger: Logger;
  readonly mesh: MeshRoom;
}

async function openMesh(
  { kubernetes, otherClusters, source }: ServeOptions,
  logger: Logger,
  onFailed: (error: Error) => void,
): Promise<MeshRoom> {
  const kept: MeshPlaces =
    source.mode !== "store"
      ? {}
      : {
          objects: join(source.directory, "mesh", "objects.jsonl"),
          virtualAddresses: join(source.directory, "mesh", "virtual-addresses.jsonl"),
          zones: join(source.directory, "mesh", "zones"),
          registrations: join(source.directory, "mesh", "registrations.jsonl"),
        };
  try {
    return await startMesh({
      ...kept,
      kubernetes,
      sharesAddresses: source.mode === "kubernetes",
      etcd: source.mode === "etcd" ? source.etcd : undefined,
      otherClusters,
      onTrouble: (level, fields, message) => logger[level](fields, message),
      onFailed,
    });
  } catch (error) {
    throw new CommandError(ExitCode.FAILED, (error as Error).message);
  }
}

async function openSource({ source }: ServeOptions, parts: SourceParts): Promise<OpenedSource> {
  const { compiler, lists, context, logger, mesh } = parts;
  const onRefused = (problems: readonly Problem[]) => {
    logger.error({ problems: problems.map(formatProblem) }, "newer content of the policy is refused");
  };
  if (source.mode === "kubernetes") return openKubernetes(source.config, parts, onRefused);
  if (source.mode === "etcd") return openEtcd(source.etcd, parts, onRefused);
  const { directory } = source;
  if (source.mode === "watch") {
    const policy = await watchDirectory({ directory, compiler, lists, mesh, onRefused });
    return { policy, isNew: false, close: () => policy.close() };
  }
  const firstSequence = firstSequenceBy(context);
  const policy = await openStore({ directory, compiler, lists, now: () => context.clock.now(), firstSequence });
  return { policy, isNew: policy.current().sequence === firstSequence, close: () => policy.close() };
}

/** Workers take no number below one that they have seen: a store that was lost must not start at 1 again. */
function firstSequenceBy({ clock }: Context): number {
  return Math.floor(clock.now());
}

async function openEtcd(
  options: EtcdOptions,
  { compiler, lists, context, logger, mesh }: SourceParts,
  onRefused: (problems: readonly Problem[]) => void,
): Promise<OpenedSource> {
  const { clock } = context;
  const etcd = await Etcd.open(options);
  try {
    const policy = await openSharedStore({
      ...{ compiler, lists, onRefused, firstSequence: firstSequenceBy(context) },
      now: () => clock.now(),
      openVersions: (first) =>
        EtcdVersions.open({
          ...{ etcd, clock, first },
          onTrouble: (error) => logger.warn({ err: error }, "etcd cannot be read: what is in force stays"),
          onRestored: () => logger.info({}, "etcd is read again"),
        }),
    });
    const close = async (): Promise<void> => {
      await policy.close();
      etcd.close();
    };
    const identity = identityOf(context);
    return {
      policy,
      isNew: false,
      takeDuties: (control) => takeEtcdDuties({ etcd, identity, control, mesh, clock, logger }),
      close,
    };
  } catch (error) {
    etcd.close();
    throw new CommandError(ExitCode.FAILED, `cannot open the store in ${etcd.name}: ${(error as Error).message}`);
  }
}

async function openKubernetes(
  config: string,
  { compiler, lists, context, logger, mesh }: SourceParts,
  onRefused: (problems: readonly Problem[]) => void,
): Promise<OpenedSource> {
  const { clock } = context;
  const api = await KubernetesApi.open(config).catch((error: Error) => {
    throw new CommandError(ExitCode.FAILED, `cannot use the configuration of --store-kubernetes: ${error.message}`);
  });
  const { namespace } = api;
  const state = followState({
    api,
    namespace,
    after: (milliseconds, task) => void clock.after(milliseconds, task),
    onFailed: (error) => logger.warn({ err: error }, "the policy in force cannot be watched: what is known stays"),
  });
  await Promise.race([state.listed, new Promise<void>((resolve) => clock.after(STATE_MS, resolve))]);
  const policy = await watchPolicy({ place: state, compiler, lists, onRefused });
  const identity = identityOf(context);
  return {
    policy,
    isNew: false,
    takeDuties: (control) =>
      takeDuties({ api, namespace, identity, compiler, control, mesh, lists: () => lists.status(), clock, logger }),
    close: async () => {
      state.close();
      await policy.close();
    },
  };
}

/** Of this service, among those of a store. */
function identityOf({ environment }: Context): string {
  const host = (environment.HOSTNAME ?? "dnspolicy").toLowerCase().replace(/[^a-z0-9-]/g, "-");
  return `${host}-${randomUUID().slice(0, 8)}`;
}

async function openNotify(
  endpoint: NotifyEndpoint | undefined,
  lists: NameLists,
  mesh: MeshRoom,
  logger: Logger,
): Promise<NotifyServer | undefined> {
  if (endpoint === undefined) return undefined;
  try {
    const server = await startNotifyServer(endpoint, async (zone, address) => {
      const isList = lists.notify(zone, address);
      return (await mesh.ask("notify", { zone, address })) || isList;
    });
    logger.info({ host: endpoint.host, port: server.port }, "primaries of zones may tell of changes");
    return server;
  } catch (error) {
    throw new CommandError(ExitCode.USAGE, `cannot listen where --list-notify says: ${(error as Error).message}`);
  }
}

async function openAuditLog(path: string | undefined, logger: Logger): Promise<AuditFile | undefined> {
  if (path === undefined) return undefined;
  try {
    return await AuditFile.open(path, (error) => logger.error({ err: error }, "the audit log cannot be written"));
  } catch (error) {
    throw new CommandError(ExitCode.USAGE, `cannot open the file of --audit-log: ${(error as Error).message}`);
  }
}

async function openTelemetry(
  { queryStore, exports, connectionMemory: grants, source }: ServeOptions,
  context: Context,
  logger: Logger,
): Promise<TelemetryRoom> {
  const onTrouble = (message: string) => logger.error({}, message);
  const { after } = context.clock;
  try {
    const ruleMatches = source.mode === "store" ? join(source.directory, "rule-matches.json") : undefined;
    return await startTelemetry({ store: queryStore, exports, grants, ruleMatches, onTrouble, after });
  } catch (error) {
    throw new CommandError(ExitCode.FAILED, `cannot open what is kept of queries: ${(error as Error).message}`);
  }
}

/** Returns how to end it. */
async function startOtlpMetrics(
  { metricsIntervalMs }: ServeOptions,
  { control }: Service,
  { clock }: Context,
  logger: Logger,
): Promise<() => Promise<void>> {
  if (metricsIntervalMs === undefined) return async () => {};
  // OpenTelemetry's packages are large, and loaded only where they are needed.
  const { pushMetrics } = await import("../telemetry/export/otlp-metrics.ts");
  return pushMetrics({
    read: () => control.readMetrics(),
    intervalMs: metricsIntervalMs,
    now: () => clock.now(),
    onTrouble: (message) => logger.error({}, message),
  });
}

function openLog(what: string, path: string | undefined, context: Context, logger: Logger): QueryLog {
  if (path === undefined) return noQueryLog;
  const onError = (error: Error) => logger.error({ err: error }, `the ${what} cannot be written`);
  if (path !== "-") return fileLog(path, onError);
  return new StreamLog({ open: () => context.stdout as Writable, onError });
}
