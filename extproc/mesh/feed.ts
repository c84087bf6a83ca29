/**
 * What one worker knows of the mesh, and is still to be told: the names of the views that it answers by.
 *
 * Not messages wait here but names, so that a worker that is slow is told once of what has changed many times. A view is
 * told when all names of its groups were; one that loses groups is told at once.
 */
import type { MeshView } from "../compiled/snapshot.ts";
import { contentOf, type Entry, isThere, type NamedGroup } from "./names/entry.ts";
import type { NameTable } from "./names/name-table.ts";
import { nearestFirst } from "./names/places.ts";
import { groupsOf } from "./names/views.ts";
import { encodeRecords, type Octets, wireOf } from "./names/wire.ts";

/** MeshUpdate of sync.proto, as protobufjs takes it. */
export interface MeshUpdateMessage {
  readonly reset?: boolean;
  readonly zones?: readonly Uint8Array[];
  readonly names?: readonly MeshNameMessage[];
  readonly views?: readonly MeshViewMessage[];
  readonly complete?: boolean;
}

export interface MeshNameMessage {
  readonly name: Uint8Array;
  readonly group: number;
  readonly wildcard?: boolean;
  readonly gone?: boolean;
  readonly ttl?: number;
  readonly records?: Uint8Array;
  readonly near?: number;
}

export interface MeshViewMessage {
  /** fixed64, decimal. */
  readonly id: string;
  readonly groups: readonly number[];
  readonly search_domains: readonly Uint8Array[];
}

/** The way to the worker. */
export interface MeshChannel {
  /** Whether more would only wait there. */
  readonly isCongested: boolean;
  send(update: MeshUpdateMessage): void;
  /** Calls once, when it is not congested any more. */
  whenFree(task: () => void): void;
}

/** What there is to tell. */
export interface MeshWorld {
  readonly table: NameTable;
  /** Of zones in which what is not there does not exist. */
  readonly zones: readonly Octets[];
  /** Undefined for a tenant that is none, or has no names of the mesh. */
  view(id: string): MeshView | undefined;
  /** Where the worker of this node is, `REGION/ZONE`. */
  placeOf(node: string): string | undefined;
}

/** Octets of a message, about: Envoy hands it to the worker as one, and a worker does nothing else meanwhile. */
const MESSAGE_OCTETS = 48 * 1024;

export class MeshFeed {
  readonly #channel: MeshChannel;
  /** Id of the worker's Envoy. */
  readonly #node: string;
  readonly #world: () => MeshWorld | undefined;
  #table: NameTable | undefined;
  #interest: readonly string[] = [];
  readonly #groups = new Set<NamedGroup>();
  /** In the order of their changes: a name that has gone and come again is two entries. */
  readonly #names = new Set<Entry>();
  /** Goes on where it was: a new one would pass by, each time, what was taken out of half a million. */
  #next = this.#names.values();
  /** What the worker was told of each view. */
  readonly #told = new Map<string, string>();
  #complete = false;
  /** Views may be other than what was told. */
  #viewsDue = false;
  #waits = false;

  constructor(channel: MeshChannel, node: string, world: () => MeshWorld | undefined) {
    this.#channel = channel;
    this.#node = node;
    this.#world = world;
  }

  /** All views that the worker answers by. */
  interested(views: readonly string[]): void {
    this.#interest = [...new Set(views)];
    this.#complete = false;
    this.viewsChanged();
  }

  /** Groups came or went, or the policy is another. */
  viewsChanged(): void {
    const world = this.#world();
    if (this.#interest.length === 0 || world === undefined) return;
    this.#viewsDue = true;
    if (this.#table !== world.table) this.#begin(world);
    else this.#narrow();
    for (const id of this.#interest) {
      for (const group of this.#groupsOf(id)) this.#addGroup(group);
    }
    this.#pump();
  }

  changed(entries: Iterable<Entry>): void {
    if (this.#table === undefined) return;
    for (const entry of entries) if (this.#groups.has(entry.group)) this.#names.add(entry);
    this.#pump();
  }

  #begin({ table, zones }: MeshWorld): void {
    this.#table = table;
    this.#groups.clear();
    this.#names.clear();
    this.#told.clear();
    this.#complete = false;
    this.#channel.send({ reset: true, zones: zones.map(toBytes) });
  }

  /** A view that has lost groups is told of it before anything else, however much waits. */
  #narrow(): void {
    const views = [...this.#told].flatMap(([id, told]) => {
      const now = this.#message(id, (group) => this.#groups.has(group));
      const groups = new Set(now.groups);
      return (JSON.parse(told) as MeshViewMessage).groups.every((group) => groups.has(group)) ? [] : [now];
    });
    if (views.length === 0) return;
    for (const view of views) this.#told.set(view.id, JSON.stringify(view));
    this.#channel.send({ views });
  }

  #addGroup(group: NamedGroup): void {
    if (this.#groups.has(group)) return;
    this.#groups.add(group);
    for (const entries of [group.entries, group.wildcards]) {
      for (const entry of entries.values()) this.#names.add(entry);
    }
  }

  #pump(): void {
    while (!this.#channel.isCongested) {
      const names = this.#takeNames();
      const views = this.#names.size > 0 ? [] : this.#newViews();
      const complete = this.#names.size === 0 && !this.#complete;
      if (names.length === 0 && views.length === 0 && !complete) return;
      if (complete) this.#complete = true;
      this.#channel.send({ names, views, complete });
    }
    if (this.#waits) return;
    this.#waits = true;
    this.#channel.whenFree(() => {
      this.#waits = false;
      this.#pump();
    });
  }

  #takeNames(): MeshNameMessage[] {
    const names: MeshNameMessage[] = [];
    const place = this.#world()?.placeOf(this.#node);
    for (let octets = 0; octets < MESSAGE_OCTETS && this.#names.size > 0; ) {
      const { value: entry } = this.#next.next();
      if (entry === undefined) {
        this.#next = this.#names.values();
        continue;
      }
      this.#names.delete(entry);
      const message = toMessage(entry, place);
      names.push(message);
      octets += message.name.length + (message.records?.length ?? 0) + 16;
    }
    return names;
  }

  #newViews(): MeshViewMessage[] {
    if (!this.#viewsDue) return [];
    this.#viewsDue = false;
    return this.#interest.flatMap((id) => {
      const message = this.#message(id, () => true);
      const text = JSON.stringify(message);
      if (this.#told.get(id) === text) return [];
      this.#told.set(id, text);
      return [message];
    });
  }

  #message(id: string, isKnown: (group: NamedGroup) => boolean): MeshViewMessage {
    const groups = this.#groupsOf(id).filter(isKnown);
    const searchDomains = this.#world()?.view(id)?.searchDomains ?? [];
    return {
      id,
      groups: groups.map((group) => group.id),
      search_domains: searchDomains.map((name) => toBytes(wireOf(name))),
    };
  }

  #groupsOf(id: string): readonly NamedGroup[] {
    const world = this.#world();
    const view = world?.view(id);
    return world === undefined || view === undefined ? [] : groupsOf(view, world.table.groups(), world.table.sidecars);
  }
}

function toMessage(entry: Entry, place: string | undefined): MeshNameMessage {
  const { wildcard, said } = entry;
  const name = toBytes(entry.name);
  const group = entry.group.id;
  if (!isThere(entry)) return { name, group, wildcard, gone: true };
  const [first] = said;
  if (first !== undefined && said.length === 1 && (place === undefined || first.places === undefined)) {
    return { name, group, wildcard, ttl: first.ttl, records: toBytes(first.records) };
  }
  const { ttl, records: all } = contentOf(entry);
  const { records, near } = nearestFirst(all, place);
  return { name, group, wildcard, ttl, ...(near > 0 ? { near } : {}), records: toBytes(encodeRecords(records)) };
}

function toBytes(octets: Octets): Uint8Array {
  return Buffer.from(octets, "latin1");
}
