/**
 * `dnspolicy serve`: opens the policy's source, starts the service, and stops both when asked to.
 */
import { join } from "node:path";
import type { Writable } from "node:stream";
import { type DestinationStream, pino } from "pino";
import type { Compiler } from "../compile/compiler.ts";
import { startCompiler } from "../compile/compiler.ts";
import { decide } from "../decide/decide.ts";
import { startListReader } from "../lists/list-reader.ts";
import { NameLists } from "../lists/name-lists.ts";
import type { MeshPlaces } from "../mesh/local-mesh.ts";
import type { MeshRoom } from "../mesh/mesh-room.ts";
import { startMesh } from "../mesh/thread.ts";
import { formatProblem } from "../resources/problem.ts";
import { readPage } from "../server/admin/page.ts";
import { formatEndpoint } from "../server/endpoint.ts";
import type { Logger } from "../server/logger.ts";
import { type Service, startService } from "../server/service.ts";
import { openStore, type PolicyStore } from "../store/store.ts";
import { type WatchedDirectory, watchDirectory } from "../store/watch.ts";
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

/** Beside a bundled service, beside a built one, and where it is built for one that runs from its sources. */
const PAGE_PLACES = ["./page/", "../../page/", "../../build/page/"];

export async function serve(context: Context, options: ServeOptions): Promise<ExitCode> {
  const logger = pino(
    { name: "dnspolicy", level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    context.stderr as DestinationStream & NodeJS.WritableStream,
  );
  const stopped = new Promise<string>((resolve) => context.onStop(resolve));
  const compiler = startCompiler();
  const reader = startListReader(options.source.mode === "store" ? join(options.source.directory, "lists") : undefined);
  const lists = new NameLists({
    reader,
    directory: options.listDirectory,
    now: () => context.clock.now(),
    every: (milliseconds, task) => context.clock.every(milliseconds, task),
    after: (milliseconds, task) => context.clock.after(milliseconds, task),
    onTrouble: (fields, message) => logger.warn(fields, message),
  });
  let source: PolicyStore | WatchedDirectory | undefined;
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
    const opened = await openSource(options, { compiler, lists, context, logger, mesh });
    source = opened.source;
    for (const warning of source.status().warnings) logger.warn({ problem: formatProblem(warning) }, "policy");
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
    const service = await startService({
      listen: options.listen,
      admin: options.admin,
      tls: options.tls,
      token: options.token,
      defaultCa: (options.upstreamCa ?? "") + (await readPublicRoots()),
      lastGoodMs: options.lastGoodMs,
      returnMs: opened.isNew ? 0 : RETURN_MS,
      processMetrics: true,
      source,
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
    logger.info({ listen, admin, policy: options.source.directory }, "the policy service is up");
    const reason = await Promise.race([stopped, meshFailed]);
    // Who starts it anew gives it a mesh again; workers answer by what they know until then.
    if (reason instanceof Error)
      logger.error({ err: reason }, "the policy service is stopping: it has no mesh any more");
    else logger.info({ signal: reason }, "the policy service is stopping");
    await stopMetrics();
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
  readonly source: PolicyStore | WatchedDirectory;
  /** Nobody obeys a policy of it yet. */
  readonly isNew: boolean;
}

interface SourceParts {
  readonly compiler: Compiler;
  readonly lists: NameLists;
  readonly context: Context;
  readonly logger: Logger;
  readonly mesh: MeshRoom;
}

async function openMesh(
  { kubernetes, otherClusters, source: { mode, directory } }: ServeOptions,
  logger: Logger,
  onFailed: (error: Error) => void,
): Promise<MeshRoom> {
  const kept: MeshPlaces =
    mode === "watch"
      ? {}
      : {
          objects: join(directory, "mesh", "objects.jsonl"),
          virtualAddresses: join(directory, "mesh", "virtual-addresses.jsonl"),
          zones: join(directory, "mesh", "zones"),
          registrations: join(directory, "mesh", "registrations.jsonl"),
        };
  try {
    return await startMesh({
      ...kept,
      kubernetes,
      otherClusters,
      onTrouble: (level, fields, message) => logger[level](fields, message),
      onFailed,
    });
  } catch (error) {
    throw new CommandError(ExitCode.FAILED, (error as Error).message);
  }
}

async function openSource(
  { source: { mode, directory } }: ServeOptions,
  { compiler, lists, context, logger, mesh }: SourceParts,
): Promise<OpenedSource> {
  if (mode === "watch") {
    const onRefused = (problems: Parameters<typeof formatProblem>[0][]) => {
      logger.error({ problems: problems.map(formatProblem) }, "the directory's newer content is refused");
    };
    const source = await watchDirectory({
      directory,
      compiler,
      lists,
      mesh,
      onRefused: (problems) => onRefused([...problems]),
    });
    return { source, isNew: false };
  }
  // Workers take no number below one that they have seen: a store that was lost must not start at 1 again.
  const firstSequence = Math.floor(context.clock.now());
  const source = await openStore({ directory, compiler, lists, now: () => context.clock.now(), firstSequence });
  return { source, isNew: source.current().sequence === firstSequence };
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
  { queryStore, exports, connectionMemory: grants }: ServeOptions,
  context: Context,
  logger: Logger,
): Promise<TelemetryRoom> {
  const onTrouble = (message: string) => logger.error({}, message);
  const { after } = context.clock;
  try {
    return await startTelemetry({ store: queryStore, exports, grants, onTrouble, after });
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
