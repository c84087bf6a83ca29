/**
 * The views, in the order of the navigation and of the keys from 1 on. Each is fetched when it is first shown.
 */
import type { ComponentType } from "preact";

export interface View {
  /** First segment of its address. */
  readonly id: string;
  readonly title: string;
  readonly load: () => Promise<ComponentType>;
}

export const VIEWS: readonly View[] = [
  {
    id: "overview",
    title: "Overview",
    load: () => import("../overview/overview-view.tsx").then(({ OverviewView }) => OverviewView),
  },
  { id: "live", title: "Live", load: () => import("../live/live-view.tsx").then(({ LiveView }) => LiveView) },
  {
    id: "tenants",
    title: "Tenants",
    load: () => import("../tenants/tenants-view.tsx").then(({ TenantsView }) => TenantsView),
  },
  {
    id: "policies",
    title: "Policies",
    load: () => import("../policies/policies-view.tsx").then(({ PoliciesView }) => PoliciesView),
  },
  {
    id: "upstreams",
    title: "Upstreams",
    load: () => import("../upstreams/upstreams-view.tsx").then(({ UpstreamsView }) => UpstreamsView),
  },
  {
    id: "connections",
    title: "Connections",
    load: () => import("../connections/connections-view.tsx").then(({ ConnectionsView }) => ConnectionsView),
  },
];
