/**
 * Where a tenant's names go: by the longest of its forward zones, else to its upstream.
 */
import {
  NODE_BELOW,
  NODE_BELOW_COUNT,
  NODE_WORDS,
  type Sections,
  TENANT_ROUTES,
  TENANT_WORDS,
  TENANT_ZONE,
  TENANT_ZONE_ROOT,
  ZONE_UPSTREAM,
  ZONE_VIEW_HIGH,
  ZONE_VIEW_LOW,
  ZONE_WORDS,
} from "./layout.ts";
import type { Forward } from "./messages.ts";
import type { Question } from "./question.ts";
import type { ScopeBuilder } from "./scope.ts";
import { NamePath } from "./trie.ts";

/** Walks are synchronous: one scratch path serves them all. */
const path = new NamePath();

/** Undefined where the tenant has no upstream for the name. */
export function findForward(
  sections: Sections,
  tenant: number,
  question: Question,
  scope: ScopeBuilder,
): Forward | undefined {
  const { tenants, nodes, lists } = sections;
  let zone = tenants[tenant * TENANT_WORDS + TENANT_ZONE] ?? 0;
  const root = tenants[tenant * TENANT_WORDS + TENANT_ZONE_ROOT] ?? 0;
  if (root !== 0) {
    path.walk(sections, root - 1, question);
    scope.narrow(sections, question, path);
    for (let depth = path.depth; depth >= 0; depth--) {
      const node = (path.nodes[depth] ?? 0) * NODE_WORDS;
      if ((nodes[node + NODE_BELOW_COUNT] ?? 0) === 0) continue;
      zone = (lists[nodes[node + NODE_BELOW] ?? 0] ?? 0) + 1;
      break;
    }
  }
  return zone === 0 ? undefined : placeOf(sections, zone - 1);
}

/** Where a rule routes to, for a tenant. */
export function findRoute(sections: Sections, tenant: number, route: number): Forward {
  const start = sections.tenants[tenant * TENANT_WORDS + TENANT_ROUTES] ?? 0;
  return placeOf(sections, sections.lists[start + route] ?? 0);
}

function placeOf({ zones }: Sections, zone: number): Forward {
  const record = zone * ZONE_WORDS;
  const view = (BigInt(zones[record + ZONE_VIEW_HIGH] ?? 0) << 32n) | BigInt(zones[record + ZONE_VIEW_LOW] ?? 0);
  return { upstream: zones[record + ZONE_UPSTREAM] ?? 0, view: view.toString() };
}
