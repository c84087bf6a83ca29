/**
 * A policy set, compiled: what the decision thread reads, and nothing else.
 *
 * A worker thread compiles resources into a CompiledPolicy: one SharedArrayBuffer of numbers and names, and small
 * frozen tables. Posting it costs no copy, and loading it makes views, not objects: so a set of any size is swapped
 * in within a millisecond. A Snapshot is never changed; a new policy is a new Snapshot.
 */

import type { TelemetrySettings } from "../telemetry/settings.ts";
import type { Decider } from "./decision-point.ts";
import { numberOf } from "./hash.ts";
import { type Directory, type Sections, viewSections } from "./layout.ts";
import type { ListReference } from "./list-reference.ts";
import type { MeshSourceReference } from "./mesh-source-reference.ts";
import type {
  Alternative,
  AuditMessage,
  ClusterDefinition,
  Deny,
  DenyForm,
  RecordMessage,
  ResponseRuleMessage,
  RevisionMessage,
  TenantLimitsMessage,
  UpstreamMessage,
} from "./messages.ts";
import { MAX_CHANGED, type NamedTables, type NameTable } from "./name-table.ts";
import type { PodTables } from "./pods.ts";
import { StringTable } from "./strings.ts";

/** The answer to clients that are no tenant's. */
export interface DenialRecord {
  readonly rcode: number;
  readonly edeCode: number;
  readonly edeText: string;
  readonly ttl: number;
  readonly form: DenyForm;
  readonly records: readonly RecordMessage[];
}

/** A response rule before a tenant is told of it: the reason of its denial is its own, or is left to the tenant. */
export interface CompiledResponseRule extends Omit<ResponseRuleMessage, "outcome"> {
  readonly outcome: Omit<ResponseRuleMessage["outcome"], "deny"> & {
    readonly deny?: Omit<Deny, "ede_text"> & { readonly ede_text?: string | undefined };
  };
}

/** What names of the mesh there are, and which a tenant has. */
export interface MeshTables {
  readonly clusterDomain: string;
  /** Seconds. */
  readonly ttl: number;
  /** As CIDRs; undefined: nobody is given one. */
  readonly virtualAddresses: { readonly ipv4: string; readonly ipv6: string } | undefined;
  readonly views: readonly MeshView[];
  /** By the number of the tenant: fixed64, decimal; empty for one without names of the mesh. */
  readonly viewOf: readonly string[];
  /** How endpoints are looked at that Kubernetes does not look after; undefined: they are not. */
  readonly healthChecks?: HealthCheckSettings | undefined;
  /** Where names come from beside objects. */
  readonly sources: readonly MeshSourceReference[];
  /** Tenants with namespaces of their own, with or without names of the mesh. */
  readonly owners: readonly { readonly tenant: string; readonly namespaces: readonly string[] }[];
}

/** Numbers are of looks in a row. */
export interface HealthCheckSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

/** The names of the mesh that one tenant has. */
export interface MeshView {
  /** fixed64, decimal: of the tenant's name, so that it is the same after a restart. */
  readonly id: string;
  readonly tenant: string;
  /** Its own namespaces. */
  readonly own: readonly string[];
  /** All that it may discover; undefined: every one. */
  readonly namespaces: readonly string[] | undefined;
  /** In presentation format. */
  readonly searchDomains: readonly string[];
}

/** What becomes of connections to addresses that no answer had. */
export interface ConnectionSettings {
  readonly mode: "Off" | "Audit" | "Enforce";
}

/** What a tenant may have at most. */
export interface LimitTables {
  readonly message: TenantLimitsMessage | undefined;
  /** What is above comes in front of what rules have to say. */
  readonly alternatives: readonly Alternative[];
  /** Of guards that are on trial. */
  readonly audits: readonly AuditMessage[];
}

export interface CompiledTables {
  /** 64 bits of SHA-256 over the canonical policy set, as 16 hex digits. */
  readonly hash: string;
  /** EvidenceBit of what any tenant is matched by, besides the address. */
  readonly evidence: number;
  readonly upstreams: readonly UpstreamMessage[];
  readonly clusters: readonly ClusterDefinition[];
  readonly unknownClient: DenialRecord;
  readonly telemetry: TelemetrySettings;
  readonly connections: ConnectionSettings;
  /** Lists of names, by their numbers in rules. */
  readonly lists: readonly ListReference[];
  /** Roots in the trie of names and principals. */
  readonly principalRoot: number;
  /** The same for the principals that policies speak of. */
  readonly subjectRoot: number;
  readonly pods: PodTables;
  /** A power of two above every subject that is a whole tenant. */
  readonly subjectStride: number;
  readonly mesh: MeshTables;
  /** Who decides for rules that leave it to others, by their numbers there. */
  readonly deciders: readonly Decider[];
  /** By the number of the tenant: whether each of its clients is judged by itself. */
  readonly decidedByClient: readonly boolean[];
  /** By the number of the tenant; undefined for one without limits. */
  readonly limits: readonly (LimitTables | undefined)[];
  readonly tenantCount: number;
  readonly policyCount: number;
  readonly ruleCount: number;
}

/** What crosses from the compiling thread: give it to postMessage as it is. */
export interface CompiledPolicy {
  readonly buffer: SharedArrayBuffer;
  readonly directory: Directory;
  readonly tables: CompiledTables;
}

export interface Snapshot {
  readonly sequence: number;
  /** 16 hex digits; equal for sets that say the same. */
  readonly hash: string;
  /** The Revision message of sync.proto. */
  readonly revision: RevisionMessage;
  /** One Envoy cluster per upstream server, for CDS. */
  readonly clusters: readonly ClusterDefinition[];
  readonly tables: CompiledTables;
  readonly sections: Sections;
  readonly strings: StringTable;
  /** Of the lists in the tables, by number: undefined for one that was never read, which has no name. */
  readonly lists: readonly (NameTable | undefined)[];
}

/** `digest`: of the names in lists; equal where they are, empty where nothing was read. */
export function loadSnapshot(
  compiled: CompiledPolicy,
  sequence: number,
  lists: NamedTables = new Map(),
  digest = "",
): Snapshot {
  const { tables } = compiled;
  const sections = viewSections(compiled.buffer, compiled.directory);
  return Object.freeze({
    sequence,
    hash: tables.hash,
    revision: Object.freeze({
      sequence,
      hash: BigInt(`0x${tables.hash}`).toString(),
      upstreams: tables.upstreams,
      evidence: tables.evidence,
      lists: numberOfLists(digest),
    }),
    clusters: tables.clusters,
    tables,
    sections,
    strings: new StringTable(sections),
    lists: tables.lists.map(({ name }) => lists.get(name)),
  });
}

/** The same policy with other names in its lists. */
export function renewSnapshot(snapshot: Snapshot, named: NamedTables, digest: string): Snapshot {
  const lists = snapshot.tables.lists.map(({ name }) => named.get(name));
  const names = changedNames(snapshot.lists, lists);
  const { lists_changed: _before, ...revision } = snapshot.revision;
  const change = names === undefined ? {} : { lists_changed: { since: revision.lists, names } };
  return Object.freeze({
    ...snapshot,
    revision: Object.freeze({ ...revision, lists: numberOfLists(digest), ...change }),
    lists,
  });
}

/** Revision.lists: equal in services that have read the same names. */
function numberOfLists(digest: string): string {
  return digest === "" ? "0" : numberOf(digest);
}

/** Undefined where there are too many, or nobody knows. */
function changedNames(
  before: readonly (NameTable | undefined)[],
  lists: readonly (NameTable | undefined)[],
): readonly Uint8Array[] | undefined {
  const names: Uint8Array[] = [];
  for (const [number, table] of lists.entries()) {
    const known = before[number];
    if (table === known) continue;
    const { change } = table ?? {};
    if (known?.version === undefined || change?.since !== known.version) return undefined;
    names.push(...change.names);
  }
  return names.length <= MAX_CHANGED ? names : undefined;
}

/** The lists of a snapshot, for another one. */
export function namedLists({ tables, lists }: Snapshot): NamedTables {
  return new Map(
    tables.lists.flatMap(({ name }, number) => {
      const table = lists[number];
      return table === undefined ? [] : [[name, table] as const];
    }),
  );
}
