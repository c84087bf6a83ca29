/**
 * The leader's work: objects of the API → one whole set → what is in force for all services (published-state.ts).
 *
 * A set is compiled as a whole. Where that fails for DnsPolicies alone, what is in force of those tenants' DnsPolicies
 * stays, and the others go on: a tenant's mistake holds back nobody else. Where it fails for an object of the cluster, all
 * that is in force stays. Either is told in the status of the objects.
 */
import { parse } from "yaml";
import type { CompileResult, Source } from "../../compile/change.ts";
import type { Compiler } from "../../compile-thread/compiler.ts";
import { formatDocumentStart, type ListedResource, splitListing } from "../../resources/document-start.ts";
import type { Problem } from "../../resources/problem.ts";
import type { State } from "../state-file.ts";
import type { Author } from "../version.ts";
import { mayStandThere, tenantsOf } from "./ownership.ts";
import { keyOfObject, type PolicyObject } from "./policy-objects.ts";
import type { StateWriter, StoredState } from "./published-state.ts";

/** What has become of an object. */
export interface JudgedObject {
  readonly object: PolicyObject;
  /** NotPermitted: it may not stand where it stands. Held: what is wrong with others keeps it from being in force. */
  readonly reason: "Accepted" | "Invalid" | "NotPermitted" | "Held";
  readonly message: string;
  /** The number that brought what is in force of it; undefined where nothing is. */
  readonly revision: number | undefined;
}

export interface PublisherOptions {
  readonly compiler: Compiler;
  readonly writer: StateWriter;
  readonly objects: () => readonly PolicyObject[];
  /** The namespace of the service itself. */
  readonly namespace: string;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  readonly after: (milliseconds: number, task: () => void) => void;
  readonly onJudged: (judged: readonly JudgedObject[]) => void;
  readonly onPublished: (sequence: number) => void;
  /** It cannot be written; it is tried again. */
  readonly onFailed: (error: unknown) => void;
}

const AUTHOR: Author = { name: "dnspolicy", by: "service" };
/** Objects that are applied together come one after the other. */
const BATCH_MS = 100;
const RETRY_MS = 1000;
/** A message names so many problems. */
const MAX_NAMED = 5;

export class Publisher {
  readonly #options: PublisherOptions;
  #leads = false;
  #due = false;
  #running: Promise<void> = Promise.resolve();
  /** Undefined until it was read, as long as this leads. */
  #stored: { readonly state: StoredState | undefined } | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  lead(leads: boolean): void {
    this.#leads = leads;
    this.#stored = undefined;
    this.changed();
  }

  /** Objects are others than before. */
  changed(afterMs = BATCH_MS): void {
    if (this.#due || !this.#leads) return;
    this.#due = true;
    this.#options.after(afterMs, () => {
      this.#running = this.#running.then(() => this.#publish());
    });
  }

  async close(): Promise<void> {
    this.#leads = false;
    await this.#running;
  }

  async #publish(): Promise<void> {
    this.#due = false;
    if (!this.#leads) return;
    try {
      this.#stored ??= { state: await this.#options.writer.read() };
      await this.#judge(this.#stored.state);
    } catch (error) {
      // Also where another has written meanwhile: what is there is read anew.
      this.#stored = undefined;
      if (this.#leads) this.#options.onFailed(error);
      this.changed(RETRY_MS);
    }
  }

  async #judge(stored: StoredState | undefined): Promise<void> {
    const { objects, now, namespace, onJudged } = this.#options;
    const published = readPublished(stored?.state);
    const next = stored === undefined ? Math.floor(now()) : stored.state.version.sequence + 1;
    const all = objects();
    const tenants = new Map(all.filter(({ kind }) => kind === "Tenant").map((tenant) => [tenant.name, tenant]));
    const barred = new Map(
      all.flatMap((object) => {
        const why = mayStandThere(object, tenants, namespace);
        return why === undefined ? [] : [[keyOfObject(object), why] as const];
      }),
    );
    const listed = all
      .filter((object) => !barred.has(keyOfObject(object)))
      .map((object) => listOf(object, published, next));
    const permitted = new Map([...published].filter(([key]) => !barred.has(key)));
    const { result, set, problems } = await this.#compile(listed, permitted);
    const sequence = result.ok ? await this.#write(stored, result, set, next) : undefined;
    const inForce = sequence === undefined ? published : new Map(set.map((one) => [keyOf(one), one]));
    const [first] = [...problems.values()].flat();
    onJudged(
      all.map((object) => {
        const key = keyOfObject(object);
        const own = problems.get(key) ?? [];
        const why = barred.get(key);
        const there = inForce.get(key);
        const revision = there?.revision;
        if (why !== undefined) return { object, reason: "NotPermitted", message: why, revision };
        if (own.length > 0) return { object, reason: "Invalid", message: tell(own), revision };
        if (there?.text === object.text) return { object, reason: "Accepted", message: "", revision };
        const message = first === undefined ? "" : `held back by ${first.source}: ${first.path}: ${first.message}`;
        return { object, reason: "Held", message, revision };
      }),
    );
  }

  /** A set that compiles, where there is one; and what is wrong with objects. */
  async #compile(
    listed: readonly ListedResource[],
    published: ReadonlyMap<string, ListedResource>,
  ): Promise<{
    readonly result: CompileResult;
    readonly set: readonly ListedResource[];
    readonly problems: ReadonlyMap<string, readonly Problem[]>;
  }> {
    const { compiler } = this.#options;
    const result = await compiler.compile(listed.map(toSource));
    if (result.ok) return { result, set: listed, problems: new Map() };
    const problems = new Map<string, Problem[]>();
    for (const problem of result.problems)
      problems.set(problem.source, [...(problems.get(problem.source) ?? []), problem]);
    const others = [...problems.keys()].some((source) => !source.startsWith("DnsPolicy/"));
    if (others) return { result, set: listed, problems };
    const tenants = new Set(listed.filter((one) => problems.has(keyOf(one))).map(tenantOf));
    const isOfThese = (one: ListedResource) => one.kind === "DnsPolicy" && tenants.has(tenantOf(one));
    const set = [...listed.filter((one) => !isOfThese(one)), ...[...published.values()].filter(isOfThese)];
    return { result: await compiler.compile(set.map(toSource)), set, problems };
  }

  /** Gives the number under which the set is in force. */
  async #write(
    stored: StoredState | undefined,
    result: CompileResult & { readonly ok: true },
    set: readonly ListedResource[],
    next: number,
  ): Promise<number> {
    const { writer, now, onPublished } = this.#options;
    const before = stored?.state;
    const { hash } = result.policy.tables;
    if (before !== undefined && Buffer.compare(before.text, result.text) === 0 && before.version.hash === hash) {
      return before.version.sequence;
    }
    const isNew = before?.version.hash !== hash || set.some(({ revision }) => revision === next);
    const time = new Date(now()).toISOString();
    const version = isNew
      ? { sequence: next, hash, time, author: AUTHOR, reason: "objects of the Kubernetes API" }
      : before.version;
    const state: State = { version, text: result.text };
    const resourceVersion = await writer.write(state, stored?.resourceVersion);
    this.#stored = { state: { state, resourceVersion } };
    if (isNew) onPublished(version.sequence);
    return version.sequence;
  }
}

/** Of a DnsPolicy. */
function tenantOf({ text }: ListedResource): string {
  return tenantsOf(parse(text).spec)[0] ?? "";
}

function keyOf({ kind, name }: ListedResource): string {
  return `${kind}/${name}`;
}

function readPublished(state: State | undefined): Map<string, ListedResource> {
  const listing = state === undefined ? "" : Buffer.from(state.text).toString("utf8");
  return new Map(splitListing(listing).map((one) => [keyOf(one), one]));
}

/** With the number that brought its text: that in force, or the next. */
function listOf(
  { kind, name, text, generation }: PolicyObject,
  published: ReadonlyMap<string, ListedResource>,
  next: number,
) {
  const before = published.get(`${kind}/${name}`);
  return { kind, name, text, generation, revision: before?.text === text ? before.revision : next };
}

/** Its problems are told by the key of the object. */
function toSource(listed: ListedResource): Source {
  return { name: keyOf(listed), text: `${formatDocumentStart(listed)}${listed.text}` };
}

function tell(problems: readonly Problem[]): string {
  const named = problems
    .slice(0, MAX_NAMED)
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  const more = problems.length - named.length;
  return `${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}
