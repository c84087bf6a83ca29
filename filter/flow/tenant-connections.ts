// Connections of each tenant that has a limit of them, counted from the first data at which its tenant is known.

import { MAX_TENANTS } from "../telemetry/tenants";
import { Stream } from "../transport/stream";
import { limitsOf } from "../verdict/tenant-limits";
import { Settings } from "./settings";

@final
export class TenantConnections {
  private readonly counts: StaticArray<u32> = new StaticArray<u32>(MAX_TENANTS + 2);

  constructor(private readonly settings: Settings) {}

  /** Counts a connection that is not counted yet; false where its tenant has as many as it may. */
  admit(stream: Stream, tenant: u32): bool {
    const limits = limitsOf(tenant);
    if (limits === null || limits.connections == 0) return true;
    if (unchecked(this.counts[tenant]) >= this.settings.partOf(limits.connections)) return false;
    unchecked((this.counts[tenant] += 1));
    stream.countedTenant = tenant;
    return true;
  }

  closed(stream: Stream): void {
    const tenant = stream.countedTenant;
    if (tenant != 0) unchecked((this.counts[tenant] -= 1));
  }
}
