/**
 * A line of the connection log.
 */

import { presentAddress } from "../../dns/address.ts";
import { maskClient } from "../../telemetry/privacy.ts";
import type { TenantTelemetry } from "../../telemetry/settings.ts";
import type { Judgement } from "./authorizer.ts";
import type { Connection } from "./connection.ts";

/** Without its final line feed. Where names are not to be known, neither are addresses, which would say as much. */
export function connectionRecord(
  time: number,
  { client, address, port }: Connection,
  { outcome, tenant, name, reason, policy, rule }: Judgement,
  privacy: TenantTelemetry | undefined,
): string {
  const { clients = "Full", names = "Full" } = privacy ?? {};
  const seen = clients === "Full" ? client : maskClient(client, clients === "None");
  const target = names === "Full" ? { address: presentAddress(address), port, name } : { port };
  const said = { time: new Date(time).toISOString(), tenant, client: presentAddress(seen), ...target };
  return JSON.stringify({ ...said, outcome, reason, policy, rule });
}
