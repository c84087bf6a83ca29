/**
 * A tenant's limits as the filter has them: what is counted is an alternative in front of what the rules say, with a meter;
 * what is held at a time goes with the client.
 *
 * What is above gets REFUSED with EDE 18 (Prohibited), as above the rate of a rule. SERVFAIL would tell stubs and
 * resolvers to try again at once, and so make more of what there is too much of already.
 */
import { numberOf } from "../compiled/hash.ts";
import {
  type Alternative,
  type AuditMessage,
  DenyForm,
  MeterKind,
  type MeterMessage,
  RuleAction,
} from "../compiled/messages.ts";
import type { LimitTables } from "../compiled/snapshot.ts";
import type { Guards } from "../resources/guards-schema.ts";
import { EDE_CODES } from "../resources/response-schema.ts";
import type { Settings } from "../resources/settings-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import { GUARDS_POLICY } from "./compile-guards.ts";

/** What stands in place of a policy's name: limits are the tenant's own, and of no policy. */
export const LIMITS = "limits";

const REFUSED = 5;
const SECOND = 1000;

export function compileLimits(tenant: Tenant, settings: Settings | undefined): LimitTables | undefined {
  const { limits = {} } = tenant.spec;
  const guards: Guards = { ...settings?.spec.guards, ...tenant.spec.guards };
  const { queries, uniqueNames, pending, connections = 0, cacheShare = 0 } = limits;
  const alternatives: Alternative[] = [];
  if (queries) {
    const { rate, per, burst } = queries;
    alternatives.push(above(tenant, LIMITS, "queries", MeterKind.QUERIES, { count: rate, per_ms: per, burst }));
  }
  if (uniqueNames) {
    const rate = { count: uniqueNames, per_ms: SECOND, burst: uniqueNames };
    alternatives.push(above(tenant, LIMITS, "uniqueNames", MeterKind.UNIQUE_NAMES, rate));
  }
  const held =
    pending && above(tenant, LIMITS, "pending", MeterKind.PENDING, { count: pending, per_ms: 1, burst: pending });
  const information = watchInformation(tenant, guards);
  const storm = watchStorms(tenant, guards);
  const limitsStorms = storm?.onTrial === false;
  const message = {
    ...(held ? { pending: held } : {}),
    connections,
    cache_share: cacheShare,
    ...(limitsStorms ? { storm: storm.above } : {}),
  };
  return {
    message: held || connections || cacheShare || limitsStorms ? message : undefined,
    alternatives: [...alternatives, ...(information?.onTrial === false ? [information.above] : [])],
    audits: [information, storm].flatMap((guard) => (guard?.onTrial ? [auditOf(guard.above)] : [])),
  };
}

function auditOf({ policy, rule, meter }: Alternative): AuditMessage {
  return { policy, rule, action: RuleAction.RATE_LIMIT, chance: 0, ...(meter === undefined ? {} : { meter }) };
}

interface Guard {
  readonly above: Alternative;
  readonly onTrial: boolean;
}

/** What carries too much out of the tenant, by the names that it asks for. */
function watchInformation(tenant: Tenant, { exfiltration }: Guards): Guard | undefined {
  if (exfiltration === undefined || exfiltration.mode === "Off") return undefined;
  const { mode, octets, per } = exfiltration;
  const rate = { count: octets, per_ms: per, burst: octets };
  return {
    above: above(tenant, GUARDS_POLICY, "exfiltration", MeterKind.INFORMATION, rate),
    onTrial: mode === "Audit",
  };
}

/** Too many names that are not there: it is known only once an upstream has answered, so this is in front of no rules. */
function watchStorms(tenant: Tenant, { nxdomain }: Guards): Guard | undefined {
  if (nxdomain === undefined || nxdomain.mode === "Off") return undefined;
  const { mode, answers, per, by } = nxdomain;
  const rate = { count: answers, per_ms: per, burst: answers, by_client: by === "Client" };
  return { above: above(tenant, GUARDS_POLICY, "nxdomain", MeterKind.NXDOMAIN, rate), onTrial: mode === "Audit" };
}

type Rate = Pick<MeterMessage, "count" | "per_ms" | "burst"> & { readonly by_client?: boolean };

function above(tenant: Tenant, policy: string, limit: string, kind: MeterKind, rate: Rate): Alternative {
  const { name } = tenant.metadata;
  return {
    chance: 0,
    deny: {
      rcode: REFUSED,
      ede_code: EDE_CODES.Prohibited,
      ede_text: { Full: `${name}/${policy}/${limit}`, Rule: limit, Code: "", None: "" }[tenant.spec.explain],
      ttl: 0,
      soa_labels: 0,
      form: DenyForm.RCODE,
      records: [],
    },
    policy,
    rule: limit,
    audits: [],
    delays: [],
    ttl_min: 0,
    ttl_max: 0,
    strip: false,
    meter: { id: numberOf(`${policy} ${limit} ${name}`), kind, by_client: false, ...rate },
  };
}
