/**
 * What may be asked of the running service, by whatever way: change the policy, look at it, look who obeys it.
 */
import type { Registry } from "prom-client";
import type { Change, Refused } from "../compile/change.ts";
import { namedLists, type Snapshot } from "../compiled/snapshot.ts";
import type { DecisionRequest } from "../decide/request.ts";
import { formatEndpoint } from "../endpoint.ts";
import { describeVerdict, type Explanation } from "../explain/explanation.ts";
import type { SaidOfRule } from "../explain/rules.ts";
import type { Finding } from "../lint/finding.ts";
import type { ListStatus } from "../lists/followed-list.ts";
import type { MeshRoom, MeshStatus } from "../mesh/mesh-room.ts";
import type { Pods } from "../mesh/pods.ts";
import type { ListedObject } from "../mesh/sources/mesh-source.ts";
import { parsePath } from "../mesh/sources/object.ts";
import type { Registration } from "../mesh/sources/registration.ts";
import type { RegisterOutcome } from "../mesh/sources/registrations.ts";
import type { ForeignKindName } from "../resources/foreign-kinds.ts";
import type { Problem } from "../resources/problem.ts";
import type { PolicySource, SourceStatus } from "../store/policy-source.ts";
import type {
  Accepted,
  ApplyOptions,
  ApplyResult,
  PolicyStore,
  Rejected,
  VersionContent,
} from "../store/policy-store.ts";
import type { Version } from "../store/version.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { openMetricsOf } from "../telemetry/open-metrics.ts";
import type { Telemetry } from "../telemetry/questions.ts";
import type { UpstreamCertificates, UpstreamServer } from "./certificates/upstream-certificates.ts";
import type { Clock } from "./clock.ts";
import type { DecideAsking } from "./decision-points/decision-points.ts";
import type { DiscoveryService } from "./discovery/discovery-service.ts";
import type { EnvoyStatus } from "./discovery/envoy-stream.ts";
import type { Health } from "./health.ts";
import type { Logger } from "./logger.ts";
import { describeChanges, type MeshChange, type ReadObjects, readMeshChange } from "./mesh-change.ts";
import type { Replicas } from "./replicas.ts";
import { type ObservedResource, observe } from "./resource-status.ts";
import type { Rollout, Settlement } from "./rollout.ts";
import type { WorkerRegistry, WorkerStatus } from "./sync/registry.ts";
import type { SyncService } from "./sync/sync-service.ts";

export type ApplyOutcome =
  | { readonly kind: "read_only"; readonly message: string }
  | (Omit<Rejected, "ok" | "reason"> & { readonly kind: Rejected["reason"] })
  | (Applied & { readonly kind: "applied" });

export interface Applied extends Omit<Accepted, "ok" | "snapshot"> {
  readonly dryRun: boolean;
  /** Workers that obey it. */
  readonly acknowledged: number;
  /** Workers that may still answer by an older policy. */
  readonly behind: readonly WorkerStatus[];
  readonly envoys: readonly EnvoyStatus[];
}

export interface ServiceStatus extends SourceStatus {
  readonly workers: {
    readonly connected: number;
    readonly behind: readonly WorkerStatus[];
    readonly all: readonly WorkerStatus[];
  };
  readonly envoys: readonly EnvoyStatus[];
  readonly mesh: MeshStatus;
  readonly lists: readonly ListStatus[];
  /** The number that workers obey: of the version that has come in force last. */
  readonly revision: number;
  readonly resources: readonly ObservedResource[];
}

export interface ControlDependencies {
  readonly source: PolicySource | PolicyStore;
  readonly decide: DecideAsking;
  readonly clock: Clock;
  readonly rollout: Rollout;
  readonly registry: WorkerRegistry;
  readonly sync: SyncService;
  readonly clusters: DiscoveryService;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly mesh: MeshRoom;
  readonly readObjects: ReadObjects;
  readonly pods: Pods;
  readonly telemetry: Telemetry;
  readonly certificates: UpstreamCertificates;
  readonly lists: () => readonly ListStatus[];
  readonly logger: Logger;
}

/** Upstream servers whose certificates are told of on /metrics. */
const MAX_SERVERS = 500;

const NOTHING_SAID = {
  kind: "applied",
  changed: false,
  changes: [],
  differences: [],
  warnings: [],
  acknowledged: 0,
  behind: [],
} as const;

export class Control {
  readonly #dependencies: ControlDependencies;
  /** The other services that changes are for, too. */
  replicas: Pick<Replicas, "workers" | "settled"> | undefined;

  constructor(dependencies: ControlDependencies) {
    this.#dependencies = dependencies;
  }

  /** Milliseconds of the wall clock. */
  get now(): number {
    return this.#dependencies.clock.now();
  }

  every(milliseconds: number, task: () => void): () => void {
    return this.#dependencies.clock.every(milliseconds, task);
  }

  get telemetry(): Telemetry {
    return this.#dependencies.telemetry;
  }

  /** The tenants whose names those below these zones are, where the mesh tells. */
  ownersOf(zones: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#dependencies.mesh.ask("owners", zones);
  }

  get ready(): boolean {
    return this.#dependencies.health.serving;
  }

  /** Resolved when every connected worker obeys it, or the time for that is up. */
  async apply(change: Change, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    const mesh = await readMeshChange(this.#dependencies.readObjects, change);
    if (mesh === undefined) return this.#change((store) => store.apply(change, options), options);
    return this.#applyMesh(mesh, change.onlyTenant, options);
  }

  /** As apply(), of what an old version said. */
  rollback(sequence: number, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    return this.#change((store) => store.rollback(sequence, options), options);
  }

  /** Of the policy as it is stored, which workers may be about to hear of; 0 is none. */
  get stored(): number {
    return this.#dependencies.source.status().sequence;
  }

  /** What is stored, and what became of it. */
  resources(): readonly ObservedResource[] {
    const { source, registry, clusters } = this.#dependencies;
    const times = new Map((this.versions() ?? []).map(({ sequence, time }) => [sequence, time]));
    return observe(source.resources(), {
      sequence: this.sequence,
      workers: this.#allWorkers(registry.list()),
      envoys: clusters.envoys,
      lists: this.#dependencies.lists(),
      sources: this.#dependencies.mesh.status().sources,
      timeOf: (sequence) => times.get(sequence) || undefined,
    });
  }

  /** Objects of the mesh of one kind, in the order of their names. */
  objects(kind: ForeignKindName): Promise<readonly ListedObject[]> {
    return this.#dependencies.mesh.ask("list", kind);
  }

  object(kind: ForeignKindName, path: string): Promise<ListedObject | undefined> {
    return this.#dependencies.mesh.ask("get", parsePath(kind, path));
  }

  register(
    at: { readonly namespace: string; readonly name: string },
    registration: Registration,
  ): Promise<RegisterOutcome> {
    return this.#dependencies.mesh.ask("register", { ...at, registration });
  }

  /** Whether it was there. */
  unregister(at: { readonly namespace: string; readonly name: string }): Promise<boolean> {
    return this.#dependencies.mesh.ask("unregister", at);
  }

  /** The tenant's own; none where it is none. */
  namespacesOf(tenant: string): readonly string[] {
    const owners = this.#dependencies.source.current()?.tables.mesh.owners ?? [];
    return owners.find((owner) => owner.tenant === tenant)?.namespaces ?? [];
  }

  /** The servers of the upstreams in force. */
  upstreamServers(): readonly UpstreamServer[] {
    return this.#dependencies.certificates.list();
  }

  /** What deserves a second look in what is stored. */
  lint(): Promise<readonly Finding[]> {
    return this.#dependencies.source.lint();
  }

  /** Newest first; undefined where somebody else keeps them. */
  versions(): readonly Version[] | undefined {
    const { source } = this.#dependencies;
    return isStore(source) ? source.versions() : undefined;
  }

  async version(sequence: number): Promise<VersionContent | undefined> {
    const { source } = this.#dependencies;
    return isStore(source) ? source.version(sequence) : undefined;
  }

  /** What becomes of a question, and why; undefined while there is no policy. `every`: with all rules of the tenant. */
  async explain(
    request: DecisionRequest & { readonly time: number },
    every: boolean,
  ): Promise<Explanation | undefined> {
    const snapshot = this.#dependencies.source.current();
    return snapshot && explainBy(this.#dependencies, snapshot, request, every);
  }

  /** What would become of a question after a change that nobody makes. */
  async explainAfter(
    change: Change,
    request: DecisionRequest & { readonly time: number },
    every: boolean,
  ): Promise<Explanation | Refused> {
    const result = await this.#dependencies.source.imagine(change);
    if (!result.ok) return result;
    return explainBy(this.#dependencies, result.snapshot, request, every, result.text);
  }

  status(): ServiceStatus {
    const { source, registry, clusters, mesh, lists } = this.#dependencies;
    const workers = { connected: registry.connected, behind: registry.behind(this.sequence), all: registry.list() };
    return {
      ...source.status(),
      revision: this.sequence,
      workers,
      envoys: clusters.envoys,
      mesh: mesh.status(),
      lists: lists(),
      resources: this.resources(),
    };
  }

  /** Other services have workers, too. `part` of all are this one's: so much of each rate is theirs. */
  shareRates(part: number): void {
    this.#dependencies.sync.ratePart = part;
  }

  workers(): readonly WorkerStatus[] {
    return this.#dependencies.registry.list();
  }

  get envoys(): readonly EnvoyStatus[] {
    return this.#dependencies.clusters.envoys;
  }

  /** Of the policy in force; 0 is none. */
  get sequence(): number {
    return this.#dependencies.rollout.inForce?.sequence ?? 0;
  }

  async #change(
    ask: (store: PolicyStore) => Promise<ApplyResult>,
    { dryRun = false }: ApplyOptions,
  ): Promise<ApplyOutcome> {
    const { source, clusters, metrics } = this.#dependencies;
    if (!isStore(source)) {
      metrics.applies.inc({ result: "read_only" });
      return { kind: "read_only", message: `the policy is read from ${source.status().directory}: change it there` };
    }
    const result = await ask(source);
    if (!result.ok) {
      metrics.applies.inc({ result: result.reason });
      const { reason: kind, before, problems, warnings } = result;
      return { kind, before, problems, warnings };
    }
    const { before, version, changed, changes, differences, warnings } = result;
    const applied = { kind: "applied", dryRun, before, version, changed, changes, differences, warnings } as const;
    if (dryRun) {
      metrics.applies.inc({ result: "dry_run" });
      return { ...applied, acknowledged: 0, behind: [], envoys: [] };
    }
    const { acknowledged, behind } = await this.#settled(version.sequence);
    metrics.applies.inc({ result: behind.length === 0 ? "applied" : "behind" });
    return { ...applied, acknowledged, behind, envoys: clusters.envoys };
  }

  /** Who obeys this revision, of all services. */
  async #settled(sequence: number): Promise<Settlement> {
    const { rollout, registry } = this.#dependencies;
    const others = this.replicas?.settled(sequence, () => registry.list());
    const [own] = await Promise.all([rollout.settled(sequence), others]);
    if (others === undefined) return own;
    const all = this.#allWorkers(registry.list());
    const behind = all.filter(({ acknowledged }) => acknowledged < sequence);
    return { acknowledged: all.length - behind.length, behind };
  }

  #allWorkers(own: readonly WorkerStatus[]): readonly WorkerStatus[] {
    return this.replicas?.workers(own) ?? own;
  }

  /** Objects of the mesh, and what is said of the policy beside them: all of it, or nothing. */
  async #applyMesh(asked: MeshChange, onlyTenant: string | undefined, options: ApplyOptions): Promise<ApplyOutcome> {
    const { source, mesh, clusters } = this.#dependencies;
    const { delta, problems, policy = {} } = asked;
    const before = this.versions()?.[0];
    if (before === undefined) return this.#change((store) => store.apply(policy, options), options);
    if (problems.length > 0) return { kind: "invalid", before, problems, warnings: source.status().warnings };
    if (onlyTenant !== undefined) {
      const problem = problemOf(
        new Error(`expected DnsPolicies of tenant ${onlyTenant} alone, got objects of the mesh`),
      );
      return { kind: "forbidden", before, problems: [problem], warnings: [] };
    }
    const { dryRun = false, ifVersions } = options;
    // The policy is compiled only where something is said of it.
    const done: ApplyOutcome =
      asked.policy !== undefined || ifVersions !== undefined
        ? await this.#change((store) => store.apply(policy, options), options)
        : { ...NOTHING_SAID, before, version: before, dryRun, envoys: clusters.envoys };
    if (done.kind !== "applied") return done;
    const made = await mesh.ask(dryRun ? "diff" : "apply", delta).catch((error: Error) => error);
    if (made instanceof Error) return { kind: "unavailable", before, problems: [problemOf(made)], warnings: [] };
    const changes = [...done.changes, ...describeChanges(delta, made)];
    return { ...done, changed: done.changed || made.length > 0, changes };
  }

  drain(node?: string): number {
    return this.#dependencies.sync.drain(node);
  }

  /** In the text format of Prometheus, or of OpenMetrics. */
  async metrics(open: boolean): Promise<{ readonly type: string; readonly text: string }> {
    const registry = await this.readMetrics();
    return open ? openMetricsOf(registry) : { type: registry.contentType, text: await registry.metrics() };
  }

  /** All metrics, as they are now. */
  async readMetrics(): Promise<Registry> {
    const { metrics, registry, clusters, telemetry, logger } = this.#dependencies;
    await telemetry.ask("counts", {}).then(metrics.publish, (error: unknown) => {
      logger.error({ err: error }, "telemetry does not answer: metrics of events are old");
    });
    metrics.workers.set(registry.connected);
    metrics.workersBehind.set(registry.behind(this.sequence).length);
    metrics.envoys.set(clusters.envoys.length);
    metrics.envoysRejecting.set(clusters.envoys.filter(({ rejected }) => rejected !== "").length);
    metrics.revision.set(this.sequence);
    metrics.policyProblems.set(this.#dependencies.source.status().problems.length);
    const { objects, names, sources, virtualAddresses, health } = this.#dependencies.mesh.status();
    metrics.meshObjects.set(objects);
    metrics.meshNames.set(names);
    metrics.meshEndpoints.set({ state: "well" }, health.checked - health.ill);
    metrics.meshEndpoints.set({ state: "ill" }, health.ill);
    metrics.listNames.reset();
    metrics.listsFailing.reset();
    for (const list of this.#dependencies.lists()) {
      metrics.listNames.set({ list: list.name }, list.names);
      metrics.listsFailing.set({ list: list.name }, list.error === "" ? 0 : 1);
    }
    metrics.sourceNames.reset();
    metrics.sourcesFailing.reset();
    for (const { name, names: count, error } of sources) {
      metrics.sourceNames.set({ source: name }, count);
      metrics.sourcesFailing.set({ source: name }, error === "" ? 0 : 1);
    }
    metrics.certificatesUntil.reset();
    for (const { upstream, address, port, certificate } of this.upstreamServers().slice(0, MAX_SERVERS)) {
      const server = formatEndpoint({ kind: "tcp", host: address, port });
      if (certificate?.validUntil !== undefined)
        metrics.certificatesUntil.set({ upstream, server }, certificate.validUntil / 1000);
    }
    for (const [state, value] of Object.entries(virtualAddresses)) metrics.virtualAddresses.set({ state }, value);
    return metrics.registry;
  }
}

async function explainBy(
  { source, decide, pods }: Pick<ControlDependencies, "source" | "decide" | "pods">,
  snapshot: Snapshot,
  asked: DecisionRequest & { readonly time: number },
  every: boolean,
  text?: Uint8Array,
): Promise<Explanation> {
  const request = { ...asked, pod: pods.at(asked.address) };
  const said: Record<string, SaidOfRule> = {};
  const verdict = await decide(snapshot, request, (rule, what) => {
    said[rule] = what;
  });
  const { tenant } = verdict.client;
  const rules =
    tenant === "" || !every ? [] : await source.consider({ ...request, tenant, said }, namedLists(snapshot), text);
  return describeVerdict(snapshot, request, verdict, rules, said);
}

function problemOf({ message }: Error): Problem {
  return { source: "request", document: 0, line: 0, path: "", message };
}

function isStore(source: PolicySource | PolicyStore): source is PolicyStore {
  return "apply" in source;
}
