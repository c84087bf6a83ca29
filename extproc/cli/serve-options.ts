/**
 * The flags of `dnspolicy serve`: read, and refused where they would leave a door open.
 */
import { type Endpoint, isLoopback, parseEndpoint } from "../endpoint.ts";
import type { EtcdOptions } from "../etcd/etcd.ts";
import { parseInterval, parseKeep } from "../resources/duration.ts";
import { formatProblem } from "../resources/problem.ts";
import type { AdminListener } from "../server/admin/admin-server.ts";
import { type Credential, Credentials, digestOf } from "../server/admin/credentials.ts";
import { parseCredentials } from "../server/admin/credentials-file.ts";
import type { ServerTls } from "../server/grpc-server.ts";
import type { ClickHouseTarget } from "../telemetry/export/clickhouse.ts";
import { parseClickHouse } from "../telemetry/export/clickhouse-file.ts";
import type { ExportOptions } from "../telemetry/export/open-exporters.ts";
import type { SyslogTarget } from "../telemetry/export/syslog.ts";
import type { WebhookTarget } from "../telemetry/export/webhook.ts";
import { readSecrets } from "../telemetry/export/webhook-signature.ts";
import { parseWebhooks } from "../telemetry/export/webhooks-file.ts";
import type { StoreOptions } from "../telemetry/query-store.ts";
import type { NotifyEndpoint } from "../transfer/notify-server.ts";
import { type EtcdFlags, readEtcd } from "./etcd-flags.ts";
import { readFlagFile, readSecret, usage } from "./flag-file.ts";
import { readExportInterval, readOtlpSignals } from "./otlp-signals.ts";

export const DEFAULT_LISTEN = "unix:/run/dns-policy/service.sock";
export const DEFAULT_ADMIN = "unix:/run/dns-policy/admin.sock";

/** As commander gives them. */
export interface ServeFlags extends EtcdFlags {
  readonly listen?: readonly string[];
  readonly store?: string;
  readonly watch?: string;
  readonly storeKubernetes?: string;
  readonly listDirectory?: string;
  readonly listNotify?: string;
  readonly kubernetes?: string;
  readonly otherCluster?: readonly string[];
  readonly admin?: readonly string[];
  readonly adminDemo?: string;
  readonly adminTokenFile?: string;
  readonly adminTokens?: string;
  readonly adminTlsCert?: string;
  readonly adminTlsKey?: string;
  readonly adminTlsClientCa?: string;
  readonly adminName?: readonly string[];
  readonly auditLog?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly upstreamCa?: string;
  readonly queryLog?: string;
  readonly connectionLog?: string;
  readonly connectionMemory?: string;
  readonly queryStore?: string;
  readonly queryStoreKeep: string;
  readonly queryStoreSize: string;
  readonly dnstap?: string;
  readonly syslog?: string;
  readonly syslogCa?: string;
  readonly webhooks?: string;
  readonly clickhouse?: string;
  readonly certificateChecks?: string;
  readonly lastGood: string;
  readonly logLevel: string;
}

/** A directory; or a cluster, by a kubeconfig's path or `in-cluster`; or etcd. */
export type PolicyPlace =
  | { readonly mode: "store" | "watch"; readonly directory: string }
  | { readonly mode: "etcd"; readonly etcd: EtcdOptions }
  | { readonly mode: "kubernetes"; readonly config: string };

export interface ServeOptions {
  readonly listen: readonly Endpoint[];
  readonly admin: readonly AdminListener[];
  /** Reads anew who may use the admin API; rejects, and leaves it as it is, for files that are not right. */
  readonly reloadCredentials: () => Promise<void>;
  readonly auditLog: string | undefined;
  readonly source: PolicyPlace;
  /** Where relative paths of lists begin. */
  readonly listDirectory: string;
  /** Where primaries tell of changes. */
  readonly listNotify: NotifyEndpoint | undefined;
  /** A kubeconfig, or `in-cluster`. */
  readonly kubernetes: string | undefined;
  /** Kubeconfigs by the names of clusters. */
  readonly otherClusters: Readonly<Record<string, string>>;
  readonly token: string | undefined;
  readonly tls: ServerTls | undefined;
  readonly upstreamCa: string | undefined;
  /** A file, or `-`. */
  readonly queryLog: string | undefined;
  /** The same. */
  readonly connectionLog: string | undefined;
  /** A file. */
  readonly connectionMemory: string | undefined;
  readonly queryStore: StoreOptions | undefined;
  readonly exports: ExportOptions;
  /** How often metrics are pushed by OTLP; undefined where nobody asks for that. */
  readonly metricsIntervalMs: number | undefined;
  /** Undefined: nobody looks. */
  readonly certificatesMs: number | undefined;
  readonly lastGoodMs: number;
  readonly logLevel: string;
}

export async function readServeOptions(
  flags: ServeFlags,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ServeOptions> {
  const { metrics, traces } = readOtlpSignals(environment);
  const { store, watch } = flags;
  const { tlsCert, tlsKey, tlsClientCa, adminTlsCert, adminTlsKey, adminTlsClientCa } = flags;
  const tls = await readTls("--tls", tlsCert, tlsKey, tlsClientCa);
  const adminTls = await readTls("--admin-tls", adminTlsCert, adminTlsKey, adminTlsClientCa);
  const known = await readCredentials(flags);
  const credentials = known === undefined ? undefined : new Credentials(known);
  const token = await readToken(flags);
  const listen = (flags.listen ?? [DEFAULT_LISTEN]).map(parseEndpoint);
  for (const endpoint of listen) {
    if (endpoint.kind === "tcp" && token === undefined && tls?.clientCa === undefined) {
      throw usage("expected --token, --token-file or --tls-client-ca with --listen on a TCP port, got none of them");
    }
  }
  return {
    listen,
    admin: readAdmin(flags, credentials, adminTls),
    reloadCredentials: async () => credentials?.replace((await readCredentials(flags)) ?? []),
    auditLog: flags.auditLog,
    source: await readSource(flags, environment.DNSPOLICY_ETCD_PASSWORD),
    listDirectory: flags.listDirectory ?? store ?? watch ?? "",
    listNotify: readNotify(flags.listNotify),
    kubernetes: flags.kubernetes,
    otherClusters: readOtherClusters(flags.otherCluster),
    token,
    tls,
    upstreamCa: await readUpstreamCa(flags.upstreamCa),
    queryLog: flags.queryLog,
    connectionLog: flags.connectionLog,
    connectionMemory: flags.connectionMemory,
    queryStore: readQueryStore(flags),
    exports: {
      dnstap: flags.dnstap === undefined ? undefined : parseEndpoint(flags.dnstap),
      syslog: await readSyslog(flags),
      webhooks: await readWebhooks(flags.webhooks),
      clickhouse: await readClickHouse(flags.clickhouse, environment.DNSPOLICY_CLICKHOUSE_PASSWORD),
      traces,
    },
    metricsIntervalMs: metrics ? readExportInterval(environment) : undefined,
    certificatesMs: readInterval("--certificate-checks", flags.certificateChecks),
    lastGoodMs: readSeconds(flags.lastGood) * 1000,
    logLevel: flags.logLevel,
  };
}

async function readSource(flags: ServeFlags, etcdPassword: string | undefined): Promise<PolicyPlace> {
  const { store, watch, storeKubernetes, storeEtcd, ...others } = flags;
  const given = [store, watch, storeKubernetes, storeEtcd].filter((place) => place !== undefined).length;
  if (given !== 1) {
    const got = given === 0 ? "none of them" : "several";
    throw usage(`expected --store DIR, --watch DIR, --store-kubernetes KUBECONFIG or --store-etcd URLS, got ${got}`);
  }
  if (storeEtcd !== undefined) return { mode: "etcd", etcd: await readEtcd(flags, etcdPassword) };
  if (Object.keys(others).some((flag) => flag.startsWith("etcd"))) {
    throw usage("expected --store-etcd with other flags of etcd, got none");
  }
  if (store !== undefined) return { mode: "store", directory: store };
  if (watch !== undefined) return { mode: "watch", directory: watch };
  return { mode: "kubernetes", config: storeKubernetes ?? "" };
}

function readOtherClusters(clusters: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    clusters.map((text) => {
      const [, name, config] = /^([a-z0-9][a-z0-9.-]*)=(.+)$/.exec(text) ?? [];
      if (name === undefined || config === undefined) {
        throw usage(`expected NAME=KUBECONFIG with --other-cluster, the name in lower case, got ${text}`);
      }
      return [name, config];
    }),
  );
}

function readAdmin(
  flags: ServeFlags,
  credentials: Credentials | undefined,
  tls: ServerTls | undefined,
): AdminListener[] {
  const names = flags.adminName ?? [];
  const listeners = (flags.admin ?? [DEFAULT_ADMIN]).map(parseEndpoint).map((endpoint): AdminListener => {
    if (endpoint.kind === "unix") return { endpoint, credentials };
    if (credentials === undefined) {
      throw usage("expected --admin-tokens or --admin-token-file with --admin on a TCP port, got neither");
    }
    return { endpoint, names, credentials, tls };
  });
  if (flags.adminDemo === undefined) return listeners;
  const demo = parseEndpoint(flags.adminDemo);
  if (demo.kind !== "tcp" || !isLoopback(demo.host)) {
    throw usage(`expected --admin-demo on a loopback address, got ${flags.adminDemo}`);
  }
  return [...listeners, { endpoint: demo }];
}

/** Undefined where neither flag is given. */
async function readCredentials({ adminTokens, adminTokenFile }: ServeFlags): Promise<Credential[] | undefined> {
  if (adminTokens === undefined && adminTokenFile === undefined) return undefined;
  const all: Credential[] = [];
  if (adminTokens !== undefined) {
    const text = (await readFlagFile("--admin-tokens", adminTokens)).toString();
    const { credentials, problems } = { credentials: [], ...parseCredentials(text, adminTokens) };
    if (problems !== undefined) throw usage(problems.map(formatProblem).join("\n"));
    all.push(...credentials);
  }
  if (adminTokenFile !== undefined) {
    const digest = digestOf(await readSecret("--admin-token-file", adminTokenFile));
    all.push({ name: "admin", role: "admin", digest });
  }
  return all;
}

/** `flag` is what the three flags begin with. */
async function readTls(
  flag: string,
  certificate: string | undefined,
  key: string | undefined,
  clientCa: string | undefined,
): Promise<ServerTls | undefined> {
  if (certificate === undefined && key === undefined && clientCa === undefined) return undefined;
  if (certificate === undefined || key === undefined) {
    throw usage(`expected ${flag}-cert and ${flag}-key, got not both`);
  }
  return {
    certificate: await readFlagFile(`${flag}-cert`, certificate),
    key: await readFlagFile(`${flag}-key`, key),
    clientCa: clientCa === undefined ? undefined : await readFlagFile(`${flag}-client-ca`, clientCa),
  };
}

/** With a line end, so that more can follow. */
async function readUpstreamCa(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const pem = (await readFlagFile("--upstream-ca", path)).toString();
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw usage(`expected PEM of certificates in ${path}, got none`);
  return `${pem.trimEnd()}\n`;
}

async function readToken({ token, tokenFile }: ServeFlags): Promise<string | undefined> {
  if (token !== undefined && tokenFile !== undefined) {
    throw usage("expected --token (or DNSPOLICY_SERVICE_TOKEN) or --token-file, got both");
  }
  if (token === "") throw usage("expected a token, got an empty one");
  return tokenFile === undefined ? token : readSecret("--token-file", tokenFile);
}

function readQueryStore({ queryStore, queryStoreKeep, queryStoreSize }: ServeFlags): StoreOptions | undefined {
  if (queryStore === undefined) return undefined;
  const keepMs = parseKeep(queryStoreKeep);
  if (typeof keepMs === "string") throw usage(`expected --query-store-keep of ${keepMs}, got ${queryStoreKeep}`);
  const [, size, unit = ""] = /^(\d{1,6})(MiB|GiB)$/.exec(queryStoreSize) ?? [];
  if (size === undefined) throw usage(`expected --query-store-size as 512MiB or 4GiB, got ${queryStoreSize}`);
  return { path: queryStore, keepMs, maxBytes: Number(size) * (unit === "GiB" ? 2 ** 30 : 2 ** 20) };
}

function readInterval(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseInterval(text);
  if (typeof seconds === "string") throw usage(`expected ${flag} of ${seconds}, got ${text}`);
  return seconds * 1000;
}

function readNotify(text: string | undefined): NotifyEndpoint | undefined {
  if (text === undefined) return undefined;
  const endpoint = parseEndpoint(text);
  if (endpoint.kind !== "tcp") throw usage(`expected host:port for --list-notify, got ${text}`);
  return endpoint;
}

async function readSyslog({ syslog, syslogCa }: ServeFlags): Promise<SyslogTarget | undefined> {
  const [, transport, rest = ""] = /^(udp|tcp|tls):(.+)$/.exec(syslog ?? "") ?? [];
  if (syslogCa !== undefined && transport !== "tls") throw usage("expected --syslog tls:host:port with --syslog-ca");
  if (syslog === undefined) return undefined;
  const endpoint = transport === undefined ? undefined : parseEndpoint(rest);
  if (endpoint?.kind !== "tcp") throw usage(`expected --syslog udp:, tcp: or tls:host:port, got ${syslog}`);
  const { host, port } = endpoint;
  const ca = syslogCa === undefined ? undefined : (await readFlagFile("--syslog-ca", syslogCa)).toString();
  return { transport: transport as SyslogTarget["transport"], host, port, ca };
}

async function readWebhooks(path: string | undefined): Promise<WebhookTarget[]> {
  if (path === undefined) return [];
  const { problems, value = [] } = {
    value: undefined,
    ...parseWebhooks((await readFlagFile("--webhooks", path)).toString(), path),
  };
  if (problems !== undefined) throw usage(problems.map(formatProblem).join("\n"));
  return Promise.all(
    value.map(async (webhook) => {
      const { secretFile, caFile } = webhook;
      const keys = readSecrets((await readFlagFile("--webhooks", secretFile)).toString());
      if (typeof keys === "string") throw usage(`expected ${keys} in ${secretFile}`);
      return { ...webhook, ca: caFile && (await readFlagFile("--webhooks", caFile)).toString() };
    }),
  );
}

async function readClickHouse(
  path: string | undefined,
  password: string | undefined,
): Promise<ClickHouseTarget | undefined> {
  if (path === undefined) return undefined;
  const { problems = [], value } = {
    value: undefined,
    ...parseClickHouse((await readFlagFile("--clickhouse", path)).toString(), path),
  };
  if (value === undefined) throw usage(problems.map(formatProblem).join("\n"));
  const { passwordFile, caFile } = value;
  if (passwordFile !== undefined) {
    if (password !== undefined) throw usage("expected passwordFile or DNSPOLICY_CLICKHOUSE_PASSWORD, got both");
    await readFlagFile("--clickhouse", passwordFile);
  }
  const ca = caFile && (await readFlagFile("--clickhouse", caFile)).toString();
  return { ...value, ca, password: password ?? "" };
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 86_400) {
    throw usage(`expected --last-good of 1 to 86400 seconds, got ${text}`);
  }
  return seconds;
}
