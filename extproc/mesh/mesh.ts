/**
 * The mesh, put together: objects make names, the policy says whose they are, workers are told.
 */
import type { MeshTables, MeshView } from "../compiled/snapshot.ts";
import { parseNetwork } from "../resources/network.ts";
import type { Catalogs } from "./catalogs/catalogs.ts";
import { type DestinationListener, ToldDestinations } from "./egress/told-destinations.ts";
import { type MeshChannel, MeshFeed, type MeshWorld } from "./feed.ts";
import { type HealthChecks, NO_HEALTH } from "./health/health-checks.ts";
import type { MeshMember, MeshStatus } from "./mesh-room.ts";
import { contentOf, type Entry } from "./names/entry.ts";
import { NameTable } from "./names/name-table.ts";
import { placeOfEnvoy } from "./names/places.ts";
import { mayKnow } from "./names/views.ts";
import { addressRecord, type Octets, type RecordData, reverseOf, reverseZone, TYPE_PTR, wireOf } from "./names/wire.ts";
import { findOwners } from "./owners.ts";
import type { MeshObjects, ObjectChange } from "./sources/object-store.ts";
import type { HostAddresses } from "./virtual-addresses.ts";

export interface MeshDependencies {
  readonly objects: MeshObjects;
  /** Until this is resolved, workers are told nothing: what is not there yet might be there. */
  readonly listed?: Promise<void>;
  readonly virtualAddresses: HostAddresses;
  /** Names that are not made of objects. */
  readonly catalogs?: Catalogs;
  /** Of endpoints that Kubernetes does not look after. */
  readonly health?: HealthChecks;
  /** Runs the task after so many milliseconds. */
  readonly after: (milliseconds: number, task: () => void) => void;
  /** So many hosts want a virtual address, and there is none left. */
  readonly onExhausted: (hosts: number) => void;
  /** What was given cannot be written down; nobody is told of it. */
  readonly onError: (error: Error) => void;
}

/** Changes of so many milliseconds are told at once. */
const BATCH_MS = 10;
/** Workers are told nothing for so long while catalogs are read for the first time: one that is away keeps nobody waiting. */
const CATALOGS_MS = 10_000;

export class Mesh {
  readonly #dependencies: MeshDependencies;
  #tables: MeshTables | undefined;
  #views: ReadonlyMap<string, MeshView> = new Map();
  #table: NameTable | undefined;
  /** What is to take the table's place, while it is built. */
  #building: NameTable | undefined;
  #zones: readonly Octets[] = [];
  readonly #feeds = new Set<MeshFeed>();
  readonly #destinations = new ToldDestinations((entry) => {
    const [namespace = "", name = ""] = entry.split("/");
    return this.#table?.destinationsOf(namespace, name) ?? [];
  });
  #changed = new Set<Entry>();
  #listed: boolean;
  /** Whether catalogs were read once, or could not be: undefined while no policy has spoken of any. */
  #read: boolean | undefined;
  #due = false;
  #rebuilds = false;
  /** Hosts without an address, when that was told last. */
  #without = 0;
  /** Whether all addresses of the table are on disk. */
  #saved = true;
  /** Of the table, when views were told last. */
  #groupCount = 0;
  /** Undefined until somebody asks, and after every change. */
  #owners: ReadonlyMap<string, string> | undefined;
  readonly #stop: () => void;

  constructor(dependencies: MeshDependencies) {
    this.#dependencies = dependencies;
    this.#listed = dependencies.listed === undefined;
    this.#stop = dependencies.objects.onChange((changes) => this.#take(changes));
    dependencies.catalogs?.listen((name, keys) => this.#takeCatalog(name, keys));
    dependencies.health?.listen((owners) => this.#takeHealth(owners));
    void dependencies.listed?.then(() => {
      this.#listed = true;
      this.#beginTelling();
    });
  }

  get table(): NameTable | undefined {
    return this.#table;
  }

  /** The policy that is about to be in force: a view that loses names by it has lost them when this returns. */
  configure(tables: MeshTables): void {
    const before = this.#tables;
    this.#tables = tables;
    this.#owners = undefined;
    this.#views = new Map(tables.views.map((view) => [view.id, view]));
    this.#follow(tables);
    this.#dependencies.health?.configure(tables.healthChecks);
    for (const feed of this.#feeds) feed.viewsChanged();
    // Where no tenant has names of the mesh, there is nothing to derive.
    const isFirst = this.#table === undefined && this.#building === undefined;
    const isNew = isFirst ? tables.views.length > 0 : !sameOptions(before, tables);
    if (isNew && this.#mayTell) this.#rebuildLater();
    else this.#tellLater();
  }

  get #mayTell(): boolean {
    return this.#listed && this.#read !== false;
  }

  #follow({ sources }: MeshTables): void {
    const { catalogs, after } = this.#dependencies;
    if (catalogs === undefined) return;
    const read = catalogs.follow(sources);
    // A catalog that goes, or is another's now, has gone when this returns.
    if (this.#changed.size > 0) this.#tellSaved();
    if (this.#read !== undefined) return;
    this.#read = sources.length === 0;
    if (this.#read) return;
    const begin = () => {
      if (this.#read) return;
      this.#read = true;
      this.#beginTelling();
    };
    after(CATALOGS_MS, begin);
    void read.then(begin);
  }

  #rebuildLater(): void {
    if (this.#rebuilds) return;
    this.#rebuilds = true;
    this.#dependencies.after(0, () => {
      this.#rebuilds = false;
      this.#rebuild(this.#tables);
    });
  }

  /** A worker has come. Returns how to tell what it asks for, and how to let it go. */
  join(channel: MeshChannel, node: string): MeshMember {
    const feed = new MeshFeed(channel, node, () => this.#world());
    this.#feeds.add(feed);
    return {
      interested: (views) => feed.interested(views),
      leave: () => void this.#feeds.delete(feed),
    };
  }

  /** Where connections to virtual addresses go, first all and then what changes. For one listener. */
  watchDestinations(listener: DestinationListener): void {
    const entries = [...this.#dependencies.objects.list("ServiceEntry")];
    this.#destinations.begin(
      listener,
      entries.map(({ namespace, name }) => `${namespace}/${name}`),
    );
    this.#tellLater();
  }

  /** A name that the view may know and that has this address: by the reverse zones, or else `host`. In wire format. */
  nameAt(viewId: string, address: string, host: string | undefined): Uint8Array | undefined {
    const pointers = this.#recordsAt(viewId, reverseOf(address)).filter(({ type }) => type === TYPE_PTR);
    const own = host === undefined ? undefined : wireOf(host);
    const { data } = addressRecord(address);
    const isOwn = own !== undefined && this.#recordsAt(viewId, own).some((record) => record.data === data);
    const name = pointers[0]?.data ?? (isOwn ? own : undefined);
    return name === undefined ? undefined : Buffer.from(name, "latin1");
  }

  /** Of what the view may know. */
  #recordsAt(viewId: string, name: Octets): RecordData[] {
    const view = this.#views.get(viewId);
    const table = this.#table;
    if (view === undefined || table === undefined) return [];
    const entries = [...table.entriesAt(name, false)].filter(({ group }) => mayKnow(view, group, table.sidecars));
    return entries.flatMap((entry) => contentOf(entry).records);
  }

  /** The tenant whose names these are, of a zone in presentation format; undefined where that is not known. */
  ownerOf(zone: string): string | undefined {
    if (this.#tables === undefined) return undefined;
    this.#owners ??= findOwners(this.#dependencies.objects, this.#tables);
    return this.#owners.get(zone);
  }

  status(): MeshStatus {
    const { objects, virtualAddresses, catalogs, health } = this.#dependencies;
    return {
      objects: objects.size,
      names: this.#table?.size ?? 0,
      sources: catalogs?.status() ?? [],
      virtualAddresses: virtualAddresses.status(),
      health: health?.status() ?? NO_HEALTH,
    };
  }

  close(): void {
    this.#stop();
    this.#dependencies.catalogs?.close();
    this.#dependencies.health?.close();
    this.#feeds.clear();
  }

  /** Undefined while there is no name that anybody could have. */
  #world(): MeshWorld | undefined {
    if (!this.#mayTell) return undefined;
    const { objects } = this.#dependencies;
    const isComing = this.#rebuilds || this.#building !== undefined;
    if (this.#table === undefined && !isComing) this.#rebuild(this.#tables);
    return this.#table && this.#saved
      ? {
          table: this.#table,
          zones: this.#zones,
          view: (id) => this.#views.get(id),
          placeOf: (node) => placeOfEnvoy(objects, node),
        }
      : undefined;
  }

  /** Takes seconds for a hundred thousand services: until then, names are told by the table that there is. */
  #rebuild(tables: MeshTables | undefined): void {
    if (tables === undefined) return;
    const { objects, virtualAddresses, catalogs = [], health, after } = this.#dependencies;
    virtualAddresses.setRanges(tables.virtualAddresses);
    const table = new NameTable(objects, {
      clusterDomain: tables.clusterDomain,
      ttl: tables.ttl,
      addressesOf: (entry, host) => virtualAddresses.give(`${entry}/${host}`),
      catalogs,
      ...(health === undefined ? {} : { health }),
      isVirtual: (address) => virtualAddresses.covers(address),
      onEntry: (entry) => this.#destinations.entryChanged(entry),
    });
    this.#building = table;
    const steps = table.build();
    const step = () => {
      if (this.#building !== table) return;
      if (!steps.next().done) after(0, step);
      else this.#takeOver(table, tables);
    };
    step();
  }

  #takeOver(table: NameTable, tables: MeshTables): void {
    this.#building = undefined;
    this.#table = table;
    this.#zones = [table.zone.apex, table.clusterSet.apex, ...reverseZones(tables)];
    this.#releaseGone();
    this.#changed.clear();
    this.#groupCount = table.groupCount;
    this.#saved = false;
    this.#tellSaved();
  }

  /** Where Sidecars tell other hosts apart than before, all names are sorted anew. */
  #sidecarsChanged(): void {
    const tables = [this.#table, this.#building].filter((table) => table !== undefined);
    const areSorted = tables.map((table) => table.readSidecars());
    for (const feed of this.#feeds) feed.viewsChanged();
    if (areSorted.includes(false)) this.#rebuildLater();
  }

  #beginTelling(): void {
    if (!this.#mayTell) return;
    if ((this.#tables?.views.length ?? 0) > 0 && !this.#rebuilds) this.#rebuild(this.#tables);
    else this.#tellLater();
    for (const feed of this.#feeds) feed.viewsChanged();
  }

  /** What had an address when this last ran, and is not there any more. */
  #releaseGone(): void {
    const { virtualAddresses } = this.#dependencies;
    for (const host of [...virtualAddresses.hosts()]) if (!this.#exists(host)) virtualAddresses.release(host);
  }

  /** `NAMESPACE/NAME/HOST` */
  #exists(host: string): boolean {
    const [namespace = "", name = "", ...rest] = host.split("/");
    const entry = this.#dependencies.objects.get("ServiceEntry", namespace, name);
    return entry?.value.spec.hosts.includes(rest.join("/")) ?? false;
  }

  #take(changes: readonly ObjectChange[]): void {
    this.#owners = undefined;
    if (changes.some(({ key }) => key.kind === "Sidecar")) this.#sidecarsChanged();
    this.#building?.change(changes);
    if (this.#table !== undefined) this.#tellLater(this.#table.change(changes));
    for (const { key, before } of changes) {
      if (before?.kind !== "ServiceEntry") continue;
      for (const host of before.value.spec.hosts) {
        const path = `${key.namespace}/${key.name}/${host}`;
        if (!this.#exists(path)) this.#dependencies.virtualAddresses.release(path);
      }
    }
  }

  #takeHealth(owners: ReadonlySet<string>): void {
    this.#building?.changeHealth(owners);
    if (this.#table !== undefined) this.#tellLater(this.#table.changeHealth(owners));
  }

  #takeCatalog(name: string, keys: Iterable<string>): void {
    const catalog = this.#dependencies.catalogs?.get(name);
    this.#building?.changeCatalog(name, catalog, keys);
    if (this.#table !== undefined) this.#tellLater(this.#table.changeCatalog(name, catalog, keys));
  }

  #tellLater(changed: Iterable<Entry> = []): void {
    for (const entry of changed) this.#changed.add(entry);
    if (this.#due || (this.#changed.size === 0 && !this.#destinations.isDue)) return;
    this.#due = true;
    this.#dependencies.after(BATCH_MS, () => this.#tellSaved());
  }

  /** An address that is told must not be another's after a crash: so it is on disk before. */
  #tellSaved(): void {
    const { virtualAddresses, onError } = this.#dependencies;
    if (virtualAddresses.isSaved) this.#tell();
    else virtualAddresses.saved().then(() => this.#tellSaved(), onError);
  }

  #tell(): void {
    this.#due = false;
    const { without } = this.#dependencies.virtualAddresses;
    if (without > this.#without) this.#dependencies.onExhausted(without);
    this.#without = without;
    const changed = this.#changed;
    this.#changed = new Set();
    const isNew = !this.#saved || this.#table?.groupCount !== this.#groupCount;
    this.#saved = true;
    this.#groupCount = this.#table?.groupCount ?? 0;
    for (const feed of this.#feeds) {
      feed.changed(changed);
      if (isNew) feed.viewsChanged();
    }
    // Who has an address is known when there are names, or nobody has any.
    const views = this.#tables?.views.length;
    const isKnown = this.#table === undefined ? views === 0 : !this.#rebuilds;
    if (this.#mayTell && isKnown) this.#destinations.tell();
  }
}

function sameOptions(a: MeshTables | undefined, b: MeshTables): boolean {
  const of = (tables: MeshTables) => JSON.stringify([tables.clusterDomain, tables.ttl, tables.virtualAddresses]);
  return a !== undefined && of(a) === of(b);
}

/** Whole octets of IPv4, whole nibbles of IPv6: a range that ends between them has several zones. */
function reverseZones({ virtualAddresses }: MeshTables): Octets[] {
  if (virtualAddresses === undefined) return [];
  return [virtualAddresses.ipv4, virtualAddresses.ipv6].flatMap((text) => {
    const network = parseNetwork(text);
    if (typeof network === "string") return [];
    const step = network.family === 4 ? 8 : 4;
    const length = Math.ceil(network.length / step) * step;
    return Array.from({ length: 2 ** (length - network.length) }, (_, index) => {
      const octets = [...network.octets];
      const at = Math.ceil(length / 8) - 1;
      // Of IPv6, the last nibble is the upper half of an octet where it is an odd one.
      const shift = length % 8 === 0 ? 0 : 4;
      octets[at] = (octets[at] ?? 0) | (index << shift);
      return reverseZone(octets, length);
    });
  });
}
