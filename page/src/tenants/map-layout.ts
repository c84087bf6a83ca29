/**
 * Where the map of who looks up whose names draws what: tenants on the left, on the right the tenants whose names they
 * are, then zones of nobody's; between them a band for each pair, as wide as it is used.
 */
import type { TenantMap } from "../../../extproc/telemetry/questions.ts";

export interface Place {
  /** Of a tenant, or `zone/` and a zone: a tenant may be called like a zone. */
  readonly key: string;
  readonly name: string;
  readonly kind: "tenant" | "owner" | "zone" | "rest";
  readonly y: number;
  readonly queries: number;
  readonly denied: number;
  /** Of an owner: below which its names are. */
  readonly zones: readonly string[];
}

export interface Band {
  readonly key: string;
  readonly tenant: string;
  readonly target: Place;
  readonly from: number;
  readonly to: number;
  readonly queries: number;
  readonly denied: number;
  readonly width: number;
  readonly deniedWidth: number;
}

export interface Layout {
  readonly height: number;
  readonly tenants: readonly Place[];
  readonly targets: readonly Place[];
  readonly bands: readonly Band[];
}

/** Pixels. */
const STEP = 34;
const WIDEST = 22;
const NARROWEST = 1.5;
/** More than this on the right are one. */
const MAX_TARGETS = 18;
const REST = "rest/";

export function layOut({ tenants, edges }: Pick<TenantMap, "tenants" | "edges">): Layout {
  const sums = new Map<
    string,
    { kind: Place["kind"]; name: string; queries: number; denied: number; zones: Set<string> }
  >();
  const targetOf = new Map<(typeof edges)[number], string>();
  for (const edge of edges) {
    const { owner, zone, queries, denied } = edge;
    const key = owner === undefined ? `zone/${zone}` : `owner/${owner}`;
    const sum = sums.get(key) ?? {
      kind: owner === undefined ? "zone" : "owner",
      name: owner ?? zone,
      queries: 0,
      denied: 0,
      zones: new Set(),
    };
    sum.queries += queries;
    sum.denied += denied;
    sum.zones.add(zone);
    sums.set(key, sum);
    targetOf.set(edge, key);
  }
  const order = [...sums].sort(([, a], [, b]) => rank(a.kind) - rank(b.kind) || b.queries - a.queries);
  const shown = order.slice(0, order.length > MAX_TARGETS ? MAX_TARGETS - 1 : MAX_TARGETS);
  const rest = order.slice(shown.length);
  if (rest.length > 0) {
    const total = (of: "queries" | "denied") => rest.reduce((sum, [, each]) => sum + each[of], 0);
    const name = `${rest.length} other zones`;
    shown.push([REST, { kind: "rest", name, queries: total("queries"), denied: total("denied"), zones: new Set() }]);
  }
  const rows = Math.max(shown.length, tenants.length);
  const height = rows * STEP;
  const yOf = (index: number, count: number) => (height / count) * (index + 0.5);
  const targets = shown.map(([key, { zones, ...sum }], index): Place => {
    return { key, ...sum, zones: [...zones].sort(), y: yOf(index, shown.length) };
  });
  const places = tenants.map(({ tenant, queries, denied }, index): Place => {
    return { key: tenant, name: tenant, kind: "tenant", queries, denied, zones: [], y: yOf(index, tenants.length) };
  });
  const pairs = new Map<string, { tenant: Place; target: Place; queries: number; denied: number }>();
  for (const edge of edges) {
    const tenant = places.find(({ key }) => key === edge.tenant);
    const target = targets.find(({ key }) => key === targetOf.get(edge)) ?? targets.find(({ key }) => key === REST);
    if (tenant === undefined || target === undefined) continue;
    const key = `${tenant.key} ${target.key}`;
    const pair = pairs.get(key) ?? { tenant, target, queries: 0, denied: 0 };
    pairs.set(key, { ...pair, queries: pair.queries + edge.queries, denied: pair.denied + edge.denied });
  }
  const most = Math.max(1, ...[...pairs.values()].map(({ queries }) => queries));
  const bands = [...pairs].map(([key, { tenant, target, queries, denied }]): Band => {
    // Of the square root, so that what is asked a thousand times less is still to be seen.
    const width = Math.max(NARROWEST, WIDEST * Math.sqrt(queries / most));
    const deniedWidth = denied === 0 ? 0 : Math.max(NARROWEST, (width * denied) / queries);
    return { key, tenant: tenant.key, target, from: tenant.y, to: target.y, queries, denied, width, deniedWidth };
  });
  return { height, tenants: places, targets, bands: bands.sort((a, b) => b.width - a.width) };
}

function rank(kind: Place["kind"]): number {
  return kind === "owner" ? 0 : 1;
}
