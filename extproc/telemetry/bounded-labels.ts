/**
 * Label values that come from outside, bounded in number: a metric keeps every value it has seen.
 */

/** As in the filter (filter/telemetry/tenants.ts). */
export const MAX_TENANTS = 1000;

/** What is beyond the bound is counted together under this value. */
export const OTHER = "other";

/** The tenant of clients that are no tenant's; no metadata.name. */
export const NO_TENANT = "-";

export class BoundedLabels {
  readonly #known = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  bound(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#max) return OTHER;
    this.#known.add(value);
    return value;
  }
}

export class TenantLabels {
  readonly #labels = new BoundedLabels(MAX_TENANTS);

  label(tenant: string): string {
    return tenant === "" ? NO_TENANT : this.#labels.bound(tenant);
  }
}
