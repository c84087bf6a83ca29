// What all clients of a tenant may have at a time: TenantLimits of protos/verdict.proto, as the newest verdict has them.

import { MAX_TENANTS, OTHER } from "../telemetry/tenants";
import { releaseVerdict, Verdict } from "./verdict";

/** Of the process: a worker has an equal part. 0 is any number. */
export class TenantLimits {
  pending: u32 = 0;
  connections: u32 = 0;
  /** Of the answer cache, in percent. */
  cacheShare: u32 = 0;
  /** What a query gets that would be one more to wait, with a reference. */
  denial: Verdict | null = null;
  /** What a query gets, instead of an upstream's answer, where its meter has run over; with a reference. */
  storm: Verdict | null = null;

  release(): void {
    releaseVerdict(this.denial);
    releaseVerdict(this.storm);
  }
}

const rows = new StaticArray<TenantLimits | null>(MAX_TENANTS + 2);

/** Of a tenant by its number; null where it has none. */
export function limitsOf(tenant: u32): TenantLimits | null {
  return unchecked(rows[tenant]);
}

export function setLimits(tenant: u32, limits: TenantLimits | null): void {
  // Tenants that are counted together have no limits together.
  const known = tenant <= OTHER ? limits : unchecked(rows[tenant]);
  if (known !== null) known.release();
  if (tenant > OTHER) unchecked((rows[tenant] = limits));
}
