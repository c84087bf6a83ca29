/**
 * Every name of the mesh with its records, derived from objects; when objects change, exactly what they say of names is
 * derived anew, and what is different then is told.
 *
 * Several groups may have a name each of its own, and which one a tenant gets is for its view to say.
 */
import { presentLabels } from "../../dns/names.ts";
import type { Catalog } from "../catalogs/catalog.ts";
import type { Destination } from "../egress/destination.ts";
import { serviceEntryDestinations } from "../egress/service-entry-destinations.ts";
import type { HealthChecks } from "../health/health-checks.ts";
import { inCluster, nameBeside, nameIn } from "../sources/cluster-objects.ts";
import type { MeshObject, ObjectKey, ObjectOf } from "../sources/object.ts";
import type { MeshObjects, ObjectChange } from "../sources/object-store.ts";
import type { ObjectKind } from "../sources/schema.ts";
import { catalogName } from "./catalog-names.ts";
import { mergeService } from "./clusters.ts";
import { type Contribution, type Group, groupKey } from "./contribution.ts";
import { dnsEndpointNames } from "./dns-endpoint-names.ts";
import {
  addTo,
  type Entry,
  isThere,
  type NamedGroup,
  NOTHING,
  type Said,
  saysTheSame,
  toSaid,
  withdrawFrom,
} from "./entry.ts";
import { gatewayNames, isEntrance, isEntranceOf, istioGatewayNames, parentsOf, routeNames } from "./gateway-names.ts";
import {
  namespaceNames,
  type Places,
  podNames,
  serviceNames,
  type Zone,
  zoneNames,
  zoneOf,
} from "./kubernetes-names.ts";
import { placeOf } from "./places.ts";
import { checksOf, type EntryContext, serviceEntryNames } from "./service-entry-names.ts";
import { CLUSTER_SET, IMPORT_LABEL, serviceImportNames } from "./service-import-names.ts";
import { Sidecars } from "./sidecars.ts";
import type { Octets } from "./wire.ts";

export interface NameTableOptions {
  readonly clusterDomain: string;
  /** Seconds, where an object says nothing else. */
  readonly ttl: number;
  /** Addresses for a host of a ServiceEntry (`NAMESPACE/NAME`) that has none. */
  readonly addressesOf: (entry: string, host: string) => readonly string[];
  /** Whose names are there beside those of objects. */
  readonly catalogs?: Iterable<Catalog>;
  /** Who looks after endpoints that Kubernetes does not look after. */
  readonly health?: HealthChecks;
  /** Whether an address is of those that are given so. */
  readonly isVirtual?: (address: string) => boolean;
  /** A ServiceEntry (`NAMESPACE/NAME`) or what belongs to it may be other than it was. */
  readonly onEntry?: (entry: string) => void;
}

const SERVICE_LABEL = "kubernetes.io/service-name";
/** Kinds that others are found by; Services are where their names are derived, so that each is read once. */
const INDEXED = ["EndpointSlice", "ServiceEntry", "HTTPRoute"] as const;
/** Kinds that have names. */
const NAMED = [
  "Namespace",
  "Pod",
  "Service",
  "ServiceEntry",
  "ServiceImport",
  "IstioGateway",
  "Gateway",
  "HTTPRoute",
  "DNSEndpoint",
] as const;

/** Objects between two steps: some 20 ms. */
const STEP = 1000;

/** Empty when it is made; build() fills it. */
export class NameTable {
  readonly #objects: MeshObjects;
  readonly #options: NameTableOptions;
  readonly #places: Places = (endpoint) => placeOf(this.#objects, endpoint);
  readonly zone: Zone;
  readonly clusterSet: Zone;
  sidecars: Sidecars;
  readonly #groups = new Map<string, NamedGroup>();
  #lastGroup = 0;
  #last: { readonly group: Group; readonly named: NamedGroup } | undefined;
  #size = 0;
  /** What each object says. */
  readonly #owners = new Map<string, readonly Said[]>();
  /** EndpointSlices by who has them: `Service/NAMESPACE/NAME` or `ServiceImport/NAMESPACE/NAME`. */
  readonly #slices = new Map<string, Set<string>>();
  /** Services that can be reached from outside: `NAMESPACE`, and names there. */
  readonly #entrances = new Map<string, Set<string>>();
  /** Services of other clusters than our own: `NAMESPACE/NAME`, and the clusters. */
  readonly #elsewhere = new Map<string, Set<string>>();
  /** Routes by gateway, `NAMESPACE/NAME`; each is `NAMESPACE/NAME`. */
  readonly #routes = new Map<string, Set<string>>();
  /** ServiceEntries that choose workloads, by namespace. */
  readonly #selecting = new Map<string, Set<string>>();

  constructor(objects: MeshObjects, options: NameTableOptions) {
    this.#objects = objects;
    this.#options = options;
    this.zone = zoneOf(options.clusterDomain, options.ttl);
    this.sidecars = new Sidecars(objects);
    this.clusterSet = zoneOf(CLUSTER_SET, options.ttl);
    this.#say("zone", zoneNames(this.zone, this.clusterSet), new Set());
  }

  /** With what there is. */
  static of(objects: MeshObjects, options: NameTableOptions): NameTable {
    const table = new NameTable(objects, options);
    for (const _ of table.build());
    return table;
  }

  /** Takes over what there is, a step at a time, between which objects may change: change() hears of that. */
  *build(): Generator<void> {
    let count = 0;
    const isStep = () => ++count % STEP === 0;
    for (const kind of INDEXED) {
      for (const object of this.#objects.list(kind)) {
        this.#index(object, true);
        if (isStep()) yield;
      }
    }
    const changed = new Set<Entry>();
    for (const kind of NAMED) {
      for (const object of this.#objects.list(kind)) {
        if (object.kind === "Service") this.#index(object, true);
        this.#derive(ownerOf(object), changed);
        if (!isStep()) continue;
        changed.clear();
        yield;
      }
    }
    for (const catalog of this.#options.catalogs ?? []) {
      for (const key of catalog.names.keys()) this.#sayCatalog(catalog.reference.name, catalog, key, changed);
    }
  }

  /** Takes over what Sidecars say now; false where that tells hosts apart that names here are not kept apart by. */
  readSidecars(): boolean {
    const now = new Sidecars(this.#objects);
    if (now.hosts.join() !== this.sidecars.hosts.join()) return false;
    this.sidecars = now;
    return true;
  }

  #facetsOf(namespace: string, name: string, { services }: Zone): readonly string[] {
    // The name of a service is written out only where somebody asks.
    if (this.sidecars.hosts.length === 0) return [];
    const domain = presentLabels(services).slice(0, -1);
    return this.sidecars.facetsOf(`${name}.${namespace}.${domain}`);
  }

  get size(): number {
    return this.#size;
  }

  /** Groups only come: a table that has as many as before has the same. */
  get groupCount(): number {
    return this.#lastGroup;
  }

  groups(): Iterable<NamedGroup> {
    return this.#groups.values();
  }

  /** Of one name, of every group; for the name alone, not for wildcards above it. */
  *entriesAt(name: Octets, wildcard: boolean): Generator<Entry> {
    for (const group of this.#groups.values()) {
      const entry = entriesOf(group, wildcard).get(name);
      if (entry !== undefined) yield entry;
    }
  }

  /** Where connections go to virtual addresses of a ServiceEntry's hosts; nowhere where there is none of that name. */
  destinationsOf(namespace: string, name: string): readonly Destination[] {
    const entry = this.#objects.get("ServiceEntry", namespace, name);
    if (entry === undefined) return [];
    const { isVirtual = () => false } = this.#options;
    return serviceEntryDestinations(entry, { ...this.#contextOf(entry), isVirtual });
  }

  /** Entries that are other than they were; those of which nobody says anything are gone. */
  change(changes: readonly ObjectChange[]): ReadonlySet<Entry> {
    const owners = new Set<string>();
    for (const { before, after } of changes) {
      if (before !== undefined) this.#index(before, false);
      if (after !== undefined) this.#index(after, true);
      for (const object of [before, after]) if (object !== undefined) this.#addOwners(object, owners);
    }
    const changed = new Set<Entry>();
    for (const owner of owners) this.#derive(owner, changed);
    return changed;
  }

  /** As change(), of ServiceEntries whose endpoints are well or ill now; as HealthChecks has them. */
  changeHealth(owners: Iterable<string>): ReadonlySet<Entry> {
    const changed = new Set<Entry>();
    for (const owner of owners) this.#derive(owner, changed);
    return changed;
  }

  /** As change(), of names of the catalog with these keys; without the catalog, they are gone. */
  changeCatalog(name: string, catalog: Catalog | undefined, keys: Iterable<string>): ReadonlySet<Entry> {
    const changed = new Set<Entry>();
    for (const key of keys) this.#sayCatalog(name, catalog, key, changed);
    return changed;
  }

  #sayCatalog(name: string, catalog: Catalog | undefined, key: string, changed: Set<Entry>): void {
    const found = catalog?.names.get(key);
    const said =
      catalog === undefined || found === undefined ? [] : [catalogName(catalog.reference, found, this.sidecars)];
    this.#say(`Catalog/${name}/${key}`, said, changed);
  }

  #addOwners(object: MeshObject, owners: Set<string>): void {
    const { kind, namespace, name } = object;
    if (kind === "EndpointSlice") for (const owner of ownersOf(object)) owners.add(owner);
    if (isNamed(kind)) owners.add(ownerOf(object));
    if (kind === "Gateway") {
      for (const route of this.#routes.get(`${namespace}/${name}`) ?? []) owners.add(`HTTPRoute/${route}`);
    }
    if (kind === "Service" && isEntrance(object)) {
      for (const gateway of this.#objects.list("IstioGateway")) {
        if (isBeside(object, gateway) && isEntranceOf(object, gateway)) owners.add(ownerOf(gateway));
      }
    }
    if (kind !== "WorkloadEntry" && kind !== "Pod") return;
    for (const entry of this.#selecting.get(namespace) ?? []) owners.add(`ServiceEntry/${namespace}/${entry}`);
  }

  #index(object: MeshObject, present: boolean): void {
    const update = (index: Map<string, Set<string>>, key: string, value: string): void => {
      const members = index.get(key) ?? new Set();
      if (present) index.set(key, members.add(value));
      else if (members.delete(value) && members.size === 0) index.delete(key);
    };
    if (object.kind === "EndpointSlice") {
      for (const owner of ownersOf(object)) update(this.#slices, owner, object.name);
    }
    if (object.kind === "Service") {
      const { name, cluster } = inCluster(object.name);
      if (cluster !== "") update(this.#elsewhere, `${object.namespace}/${name}`, cluster);
      if (isEntrance(object)) update(this.#entrances, object.namespace, object.name);
    }
    if (object.kind === "HTTPRoute") {
      for (const parent of parentsOf(object)) {
        const gateway = nameBeside(object.name, parent.name);
        update(this.#routes, `${parent.namespace}/${gateway}`, `${object.namespace}/${object.name}`);
      }
    }
    if (object.kind === "ServiceEntry" && object.value.spec.workloadSelector !== undefined) {
      update(this.#selecting, object.namespace, object.name);
    }
  }

  #derive(owner: string, changed: Set<Entry>): void {
    const [kind, namespace = "", name = ""] = owner.split("/");
    this.#say(owner, this.#namesOf(kind, namespace, name), changed);
  }

  #namesOf(kind: string | undefined, namespace: string, name: string): readonly Contribution[] {
    const { zone } = this;
    switch (kind) {
      case "Namespace": {
        const object = this.#objects.get("Namespace", "", name);
        return object === undefined ? [] : namespaceNames(object, zone);
      }
      case "Pod": {
        const object = this.#objects.get("Pod", namespace, name);
        return object === undefined ? [] : podNames(object, zone);
      }
      case "Service": {
        const merged = mergeService(this.#servicesOf(namespace, name), this.#slicesOf("Service", namespace, name));
        if (merged === undefined) return [];
        const { service, slices } = merged;
        const facets = this.#facetsOf(namespace, name, zone);
        const own = { kind: service.kind, namespace, name, value: service.value };
        return serviceNames(own, slices, zone, this.#places, facets);
      }
      case "ServiceImport": {
        const object = this.#objects.get("ServiceImport", namespace, name);
        const slices = this.#slicesOf("ServiceImport", namespace, name);
        const facets = this.#facetsOf(namespace, name, this.clusterSet);
        return object === undefined ? [] : serviceImportNames(object, slices, this.clusterSet, this.#places, facets);
      }
      case "IstioGateway": {
        const object = this.#objects.get("IstioGateway", namespace, name);
        return object === undefined ? [] : istioGatewayNames(object, this.#entrancesOf(object), zone.ttl);
      }
      case "Gateway": {
        const object = this.#objects.get("Gateway", namespace, name);
        return object === undefined ? [] : gatewayNames(object, zone.ttl);
      }
      case "HTTPRoute": {
        const object = this.#objects.get("HTTPRoute", namespace, name);
        const gatewayAt = (at: string, gateway: string) => this.#objects.get("Gateway", at, nameBeside(name, gateway));
        return object === undefined ? [] : routeNames(object, gatewayAt, zone.ttl);
      }
      case "DNSEndpoint": {
        const object = this.#objects.get("DNSEndpoint", namespace, name);
        return object === undefined ? [] : dnsEndpointNames(object, zone.ttl, (host) => this.sidecars.facetsOf(host));
      }
      default: {
        const object = this.#objects.get("ServiceEntry", namespace, name);
        this.#options.onEntry?.(`${namespace}/${name}`);
        const context = object && this.#contextOf(object);
        this.#options.health?.follow(
          `ServiceEntry/${namespace}/${name}`,
          object && context ? checksOf(object, context) : [],
        );
        return object && context ? serviceEntryNames(object, context) : [];
      }
    }
  }

  #contextOf({ namespace, name, value }: ObjectOf<"ServiceEntry">): EntryContext {
    const chooses = value.spec.workloadSelector !== undefined;
    const isWithin = (object: MeshObject) => chooses && object.namespace === namespace;
    return {
      ttl: this.zone.ttl,
      pods: [...this.#objects.list("Pod")].filter(isWithin),
      workloadEntries: [...this.#objects.list("WorkloadEntry")].filter(isWithin),
      places: this.#places,
      facets: (host) => this.sidecars.facetsOf(host),
      virtualAddresses: (host) => this.#options.addressesOf(`${namespace}/${name}`, host),
      isIll: (check, address) => this.#options.health?.isIll(check, address) ?? false,
    };
  }

  /** In the order of their names, so that the order of addresses is not that of arrival. */
  *#slicesOf(
    kind: "Service" | "ServiceImport",
    namespace: string,
    service: string,
  ): Generator<ObjectOf<"EndpointSlice">> {
    for (const name of [...(this.#slices.get(`${kind}/${namespace}/${service}`) ?? [])].sort()) {
      const slice = this.#objects.get("EndpointSlice", namespace, name);
      if (slice !== undefined) yield slice;
    }
  }

  /** Of each cluster that has it, our own first. */
  #servicesOf(namespace: string, name: string): readonly ObjectOf<"Service">[] {
    const clusters = [...(this.#elsewhere.get(`${namespace}/${name}`) ?? [])].sort();
    const names = [name, ...clusters.map((cluster) => nameIn(name, cluster))];
    return names.flatMap((one) => this.#objects.get("Service", namespace, one) ?? []);
  }

  /** Of the gateway's own cluster. */
  *#entrancesOf(gateway: ObjectOf<"IstioGateway">): Generator<ObjectOf<"Service">> {
    for (const [namespace, names] of this.#entrances) {
      for (const name of names) {
        const service = this.#objects.get("Service", namespace, name);
        if (service !== undefined && isBeside(service, gateway)) yield service;
      }
    }
  }

  #say(owner: string, contributions: readonly Contribution[], changed: Set<Entry>): void {
    const known = this.#owners.get(owner);
    const before = known && new Map(known.map((one) => [one.entry, one]));
    const now = contributions.map((contribution) => {
      const entry = this.#entryOf(contribution);
      const said = toSaid(entry, contribution);
      const old = before?.get(entry);
      before?.delete(entry);
      if (old !== undefined && saysTheSame(old, said)) return old;
      // That a name is there is no news where others have said so.
      const isNews = old !== undefined || said.records !== "" || !isThere(entry);
      if (old !== undefined) withdrawFrom(entry, old);
      addTo(entry, said);
      if (isNews) changed.add(entry);
      return said;
    });
    for (const [entry, old] of before ?? []) {
      withdrawFrom(entry, old);
      if (!isThere(entry) || old.records !== "") changed.add(entry);
      if (isThere(entry)) continue;
      entriesOf(entry.group, entry.wildcard).delete(entry.name);
      this.#size--;
    }
    if (now.length > 0) this.#owners.set(owner, now);
    else this.#owners.delete(owner);
  }

  #entryOf({ name, wildcard, group }: Contribution): Entry {
    const named = this.#groupOf(group);
    const entries = entriesOf(named, wildcard);
    let entry = entries.get(name);
    if (entry === undefined) {
      entry = { name, wildcard, group: named, said: NOTHING, bare: 0 };
      entries.set(name, entry);
      this.#size++;
    }
    return entry;
  }

  #groupOf(group: Group): NamedGroup {
    // An object's names are mostly of one group.
    if (group === this.#last?.group) return this.#last.named;
    const key = groupKey(group);
    let named = this.#groups.get(key);
    if (named === undefined) {
      named = { ...group, id: ++this.#lastGroup, key, entries: new Map(), wildcards: new Map() };
      this.#groups.set(key, named);
    }
    this.#last = { group, named };
    return named;
  }
}

function entriesOf({ entries, wildcards }: NamedGroup, wildcard: boolean): Map<Octets, Entry> {
  return wildcard ? wildcards : entries;
}

/** A slice may be of a service, and of an import, too. */
function ownersOf({ namespace, value }: ObjectOf<"EndpointSlice">): string[] {
  const { [SERVICE_LABEL]: service, [IMPORT_LABEL]: imported } = value.metadata.labels;
  return [
    ...(service === undefined ? [] : [`Service/${namespace}/${service}`]),
    ...(imported === undefined ? [] : [`ServiceImport/${namespace}/${imported}`]),
  ];
}

/** Services of one name are one owner's, of whatever clusters they are. */
function ownerOf({ kind, namespace, name }: ObjectKey): string {
  return `${kind}/${namespace}/${kind === "Service" ? inCluster(name).name : name}`;
}

/** Whether they are of one cluster. */
function isBeside(a: ObjectKey, b: ObjectKey): boolean {
  return inCluster(a.name).cluster === inCluster(b.name).cluster;
}

function isNamed(kind: ObjectKind): boolean {
  return (NAMED as readonly ObjectKind[]).includes(kind);
}
