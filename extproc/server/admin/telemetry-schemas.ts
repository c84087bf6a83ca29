/**
 * The bodies of replies about telemetry, for the description of the API.
 */
import { z } from "zod";
import {
  type Connections,
  type Erased,
  type Mirrors,
  type Overview,
  type QueryPage,
  type QueryRecord,
  type Rules,
  type Series,
  type TenantMap,
  TOP_KINDS,
  type Top,
  type Upstreams,
  WINDOWS,
} from "../../telemetry/questions.ts";

const optional = z.exactOptional;
const date = z.iso.datetime();
const count = z.int().min(0);
const tenant = z.string().describe("Empty for clients that are no tenant's");
const milliseconds = z.number().min(0);

const span = { window: z.enum(WINDOWS), from: date, to: date };

const latency = z
  .strictObject({ p50: milliseconds, p90: milliseconds, p99: milliseconds, max: milliseconds })
  .describe("Milliseconds, true to a few hundredths");

const shares = z.array(z.strictObject({ key: z.string(), count })).describe("Most frequent first");

const summaryFields = {
  queries: count,
  forwarded: count,
  denied: count,
  rejected: count,
  failed: count,
  faulted: count,
  answered: count,
  limited: count.describe("Above a rate that a rule, a guard or the tenant's limits set"),
  hits: count.describe("Answered from the cache"),
  misses: count,
  stale: count,
  wouldDeny: count.describe("Met by a rule in mode Audit that would have denied them"),
  rate: z.number().min(0).describe("Queries a second"),
  latencyMs: optional(latency),
  uniqueNames: count.describe("An estimate"),
  uniqueClients: count.describe("An estimate"),
  rcodes: shares,
  types: shares,
  transports: shares,
};

const trend = z.strictObject({ queries: count, denied: count, failed: count, wouldDeny: count });

const overview = z.strictObject({
  ...span,
  all: z.strictObject(summaryFields),
  trend: optional(
    z.strictObject({ last: trend, before: trend }).describe("As much time that is over, and as much before that"),
  ),
  tenants: z.array(z.strictObject({ tenant, ...summaryFields })).describe("Most queries first"),
  lost: count.describe("Events that were lost on the way since the service runs"),
  events: z.enum(["All", "Logged"]).describe("Whether workers send every query, or only what is to be logged"),
  store: z.boolean().describe("Whether past queries can be searched"),
}) satisfies z.ZodType<Overview>;

const counts = z.array(count);
const quantiles = z.array(z.union([milliseconds, z.null()])).describe("Milliseconds");
const columns = {
  queries: counts,
  denied: counts,
  failed: counts,
  wouldDeny: counts,
  hits: counts,
  misses: counts,
  p50: quantiles,
  p99: quantiles,
};

const series = z.strictObject({
  ...span,
  stepSeconds: z.int().min(1),
  times: z.array(z.int()).describe("Seconds since 1970 at which each step begins; columns have one value for each"),
  all: z.strictObject(columns),
  tenants: z.array(z.strictObject({ tenant, ...columns })).describe("Most queries first"),
}) satisfies z.ZodType<Series>;

const top = z.strictObject({
  ...span,
  kind: z.enum(TOP_KINDS),
  tenant: optional(tenant),
  items: z.array(
    z.strictObject({
      key: z.string().describe("A name with its final dot, or an address"),
      count,
      over: count.describe("How much too high the count may be"),
    }),
  ),
}) satisfies z.ZodType<Top>;

const tenantMap = z.strictObject({
  ...span,
  tenants: z.array(z.strictObject({ tenant, queries: count, denied: count, wouldDeny: count, uniqueNames: count })),
  edges: z.array(
    z.strictObject({
      tenant,
      zone: z.string().describe("Names at or below it"),
      owner: optional(z.string().describe("The tenant whose names these are, where that is known")),
      queries: count,
      denied: count,
    }),
  ),
}) satisfies z.ZodType<TenantMap>;

const upstreams = z.strictObject({
  ...span,
  upstreams: z.array(
    z.strictObject({
      upstream: z.string(),
      queries: count.describe("Queries that waited for it"),
      failed: count.describe("Those of them that got no answer"),
      stale: count,
      share: z.number().min(0).max(1).describe("Of all queries that waited for an upstream"),
      latencyMs: optional(latency),
      servers: z
        .array(
          z.strictObject({
            cluster: z.string().describe("As GET /v1/upstreams has it"),
            answers: count.describe("Which queries have waited for"),
            share: z.number().min(0).max(1).describe("Of the upstream's answers"),
            latencyMs: optional(latency),
          }),
        )
        .describe("Most answers first"),
    }),
  ),
}) satisfies z.ZodType<Upstreams>;

const connections = z.strictObject({
  ...span,
  tenants: z
    .array(
      z.strictObject({
        tenant,
        allowed: count,
        refused: count.describe("To addresses that no answer had"),
        wouldRefuse: count.describe("The same, in mode Audit"),
        connected: count.describe("Of those that were let through"),
        failed: count.describe("Of those that were let through: the address did not take the connection"),
        connectMs: optional(latency),
      }),
    )
    .describe("Most connections first"),
  unreachable: z
    .array(
      z.strictObject({
        tenant,
        name: z.string().describe("With its final dot; empty where no name allowed it"),
        address: z.string().describe("Address and port"),
        count,
        over: count.describe("How much too high the count may be"),
      }),
    )
    .describe("Resolved, then failed to connect; most frequent first"),
  refused: z.array(z.strictObject({ tenant, key: z.string().describe("Address and port"), count, over: count })),
}) satisfies z.ZodType<Connections>;

const mirrors = z.strictObject({
  ...span,
  upstreams: z
    .array(
      z.strictObject({
        tenant,
        upstream: z.string().describe("The second"),
        same: count,
        different: count,
        failed: count.describe("It has not answered"),
        latencyMs: optional(latency),
      }),
    )
    .describe("Most questions first"),
  differing: z
    .array(
      z.strictObject({
        tenant,
        upstream: z.string(),
        name: z.string().describe("With its final dot"),
        type: z.string(),
        first: z.string().describe("RCODE of the answer that the client got"),
        second: z.string().describe("RCODE of the other; where it is the same, records differ"),
        count,
        over: count.describe("How much too high the count may be"),
      }),
    )
    .describe("Most frequent first"),
}) satisfies z.ZodType<Mirrors>;

const rules = z.strictObject({
  since: date,
  tenant: optional(tenant.describe("Of whose queries alone, where they are not everybody's")),
  rules: z.array(
    z.strictObject({
      policy: z.string(),
      rule: z.string(),
      hits: count.describe("Queries that it decided"),
      audited: count.describe("Queries that it met in mode Audit"),
      last: date,
    }),
  ),
}) satisfies z.ZodType<Rules>;

const query = z.strictObject({
  time: z.string().describe("RFC 3339, to the microsecond"),
  tenant,
  client: z.string(),
  principal: optional(z.string().describe("URI SAN of its certificate")),
  namespace: optional(z.string().describe("Of the pod that had its address")),
  workload: optional(z.string().describe("The pod that had its address")),
  transport: z.string(),
  qname: z.string().describe("Presentation form (RFC 1035, section 5.1)"),
  qtype: optional(z.string()),
  outcome: z.string(),
  policy: optional(z.string()),
  rule: optional(z.string()),
  rcode: z.string().describe("NONE where no answer was sent"),
  ede: optional(z.int()),
  latency_us: count,
  flags: optional(z.string().describe("Of the answer, and the query's DO")),
  cache: optional(z.string()),
  revision: count,
  upstream: optional(z.string()),
  upstream_us: optional(count.describe("From the question that went out to the answer")),
  rewritten: optional(z.string().describe("The name that a rule has had answered instead")),
  decision_us: optional(count.describe("Waiting for the policy service")),
  answers: optional(z.array(z.string()).describe("Addresses of the answer: the first few")),
  audit: optional(z.array(z.strictObject({ policy: z.string(), rule: z.string(), would: z.string() }))),
}) satisfies z.ZodType<QueryRecord>;

const queryPage = z.strictObject({
  queries: z.array(query).describe("Newest first"),
  next: optional(z.string().describe("The cursor of the next page")),
}) satisfies z.ZodType<QueryPage>;

const erased = z.strictObject({ erased: count.describe("Queries") }) satisfies z.ZodType<Erased>;

export const TELEMETRY_SCHEMAS = {
  Connections: connections,
  Erased: erased,
  Mirrors: mirrors,
  Overview: overview,
  Queries: queryPage,
  Query: query,
  Rules: rules,
  Series: series,
  TenantMap: tenantMap,
  Top: top,
  Upstreams: upstreams,
} as const;
