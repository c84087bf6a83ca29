/**
 * One compilation from beginning to end: read, merge, validate as a whole, compile. Runs in the compiling thread, and
 * as well without one.
 */
import { findDifferences } from "../resources/difference.ts";
import { formatDocumentStart, type Lineage, type ListedResource } from "../resources/document-start.ts";
import { type LocatedResource, parseResources } from "../resources/parse.ts";
import type { Problem } from "../resources/problem.ts";
import { canonical } from "./canonical.ts";
import type { Change, CompileResult, ResourceChange, Source } from "./change.ts";
import { compileSet } from "./compile-set.ts";
import { findForbidden } from "./limit-to-tenant.ts";
import { lintDenials } from "./lint-denials.ts";
import { Findings, keyOf, orderResources, toPolicySet } from "./policy-set.ts";
import { validatePolicies } from "./validate-policies.ts";
import { validateReferences } from "./validate-references.ts";
import { validateTenants } from "./validate-tenants.ts";

/** The set in force and the one before: a change to a large set does not read all of it again. */
const REMEMBERED_SETS = 2;

interface RememberedSet {
  readonly text: Uint8Array;
  readonly resources: readonly LocatedResource[];
}

interface ReadSources {
  readonly resources: readonly LocatedResource[];
  readonly problems: readonly Problem[];
}

export class CompileJobs {
  readonly #remembered: RememberedSet[] = [];

  /** `revision` is the number that the outcome has if it says something new. */
  run(base: readonly Source[], change: Change | undefined, revision = 0): CompileResult {
    const findings = new Findings();
    const stored = this.#readBase(base, change !== undefined);
    const upserted = readSources(change?.upsert ?? []);
    findings.problems.push(...upserted.problems);
    // What the change replaces may have been wrong before.
    if (change?.prune !== true) findings.problems.push(...stored.problems);
    const upserts = orderResources(upserted.resources, findings);
    const before = new Map(orderResources(stored.resources, findings).map((one) => [keyOf(one.resource), one]));
    const { after, changes } =
      change === undefined ? { after: before, changes: [] } : merge(before, upserts, change, revision);
    if (findings.problems.length === 0 && change?.onlyTenant !== undefined) {
      const forbidden = findForbidden(changes, before, after, change.onlyTenant);
      if (forbidden.length > 0) return { ok: false, forbidden: true, problems: forbidden, warnings: [] };
    }
    const resources = [...after.values()].sort((a, b) => (keyOf(a.resource) < keyOf(b.resource) ? -1 : 1));
    const set = toPolicySet(resources);
    // References of a set with holes would only tell of the holes.
    if (findings.problems.length === 0) {
      validateReferences(set, findings);
      validateTenants(set, findings);
      validatePolicies(set, findings);
    }
    const { problems, warnings } = findings;
    if (problems.length > 0) return { ok: false, forbidden: false, problems, warnings };
    const policy = compileSet(set);
    lintDenials(set, policy, findings);
    const text = listResources(resources);
    this.#remember(text, resources);
    const differences = change?.explain ? findDifferences(toTexts(before.values()), toTexts(resources)) : [];
    return { ok: true, policy, text, changes, differences, warnings };
  }

  /** The resources of a set in order; those that cannot be read are left out. */
  read(base: readonly Source[]): readonly LocatedResource[] {
    return orderResources(this.#readBase(base, true).resources, new Findings());
  }

  /** The same, each with the place in its file. */
  readAsWritten(sources: readonly Source[]): readonly LocatedResource[] {
    return orderResources(this.#readBase(sources, false).resources, new Findings());
  }

  #readBase(base: readonly Source[], asStored: boolean): ReadSources {
    const only = base.length === 1 ? base[0]?.text : undefined;
    const known =
      only instanceof Uint8Array ? this.#remembered.find(({ text }) => Buffer.compare(text, only) === 0) : undefined;
    const { resources, problems } =
      known === undefined ? readSources(base) : { resources: known.resources, problems: [] };
    if (!asStored) return { resources, problems };
    return {
      resources: resources.map(({ resource, origin, lineage }) => ({
        resource,
        lineage,
        origin: origin.stored(resource.kind, resource.metadata.name),
      })),
      problems,
    };
  }

  #remember(text: Uint8Array, resources: readonly LocatedResource[]): void {
    this.#remembered.unshift({ text, resources });
    this.#remembered.splice(REMEMBERED_SETS);
  }
}

function readSources(sources: readonly Source[]): ReadSources {
  const read = sources.map(({ name, text }) => parseResources(typeof text === "string" ? text : decode(text), name));
  return { resources: read.flatMap((one) => one.resources), problems: read.flatMap((one) => one.problems) };
}

/** TextDecoder refuses views of shared memory. */
function decode(octets: Uint8Array): string {
  return Buffer.from(octets).toString("utf8");
}

function merge(
  before: ReadonlyMap<string, LocatedResource>,
  upserts: readonly LocatedResource[],
  { prune, delete: deletions }: Change,
  revision: number,
): { readonly after: Map<string, LocatedResource>; readonly changes: readonly ResourceChange[] } {
  const after = new Map(prune ? [] : before);
  const changes = new Map<string, ResourceChange>();
  for (const one of upserts) {
    const { kind, metadata } = one.resource;
    const key = keyOf(one.resource);
    const old = before.get(key);
    const same = old !== undefined && canonical(old.resource) === canonical(one.resource);
    const change = old === undefined ? "created" : same ? "unchanged" : "updated";
    after.set(key, { ...one, lineage: lineageOf(one, old, revision) });
    changes.set(key, { kind, name: metadata.name, change });
  }
  for (const { kind, name } of deletions ?? []) {
    const key = `${kind}/${name}`;
    changes.set(key, { kind, name, change: after.delete(key) ? "deleted" : "absent" });
  }
  for (const [key, { resource }] of before) {
    if (!after.has(key) && !changes.has(key)) {
      changes.set(key, { kind: resource.kind, name: resource.metadata.name, change: "deleted" });
    }
  }
  return { after, changes: [...changes.values()] };
}

/** Labels and annotations are not part of a generation: nobody is judged by them. */
function lineageOf({ resource }: LocatedResource, old: LocatedResource | undefined, revision: number): Lineage {
  if (old === undefined) return { generation: 1, revision };
  if (canonical(old.resource.spec) === canonical(resource.spec)) return old.lineage;
  return { generation: old.lineage.generation + 1, revision };
}

function toTexts(resources: Iterable<LocatedResource>): ListedResource[] {
  return [...resources].map(({ resource: { kind, metadata }, origin, lineage }) => {
    return { kind, name: metadata.name, text: `${origin.kept.trim()}\n`, ...lineage };
  });
}

function listResources(resources: readonly LocatedResource[]): Uint8Array {
  const text = toTexts(resources)
    .map((listed) => `${formatDocumentStart(listed)}${listed.text}`)
    .join("");
  const octets = Buffer.from(text);
  const shared = new Uint8Array(new SharedArrayBuffer(octets.length));
  shared.set(octets);
  return shared;
}
