/**
 * What each operation of the admin API is for, takes and answers: the words of its OpenAPI description. Tests compare
 * it with the routes that there are, and with what they answer.
 */
import { OUTCOMES } from "../../telemetry/labels.ts";
import { TOP_KINDS, WINDOWS } from "../../telemetry/questions.ts";
import type { ReplySchema } from "./reply-schemas.ts";
import type { Method } from "./route.ts";

export interface OperationDescription {
  readonly id: string;
  readonly summary: string;
  /** Of PARAMETERS, besides the variables of the path. */
  readonly parameters?: readonly ParameterName[];
  /** Resources as YAML, or a question as JSON. */
  readonly takes?: "yaml" | "ExplainRequest" | "RegistrationRequest";
  readonly replies: Readonly<Record<number, ReplyDescription>>;
}

export interface ReplyDescription {
  readonly description: string;
  /** As application/json. */
  readonly json?: ReplySchema | "OpenApi";
  readonly text?: "text/plain" | "text/event-stream" | "application/yaml";
  /** The ETag header is the number of the version in force. */
  readonly tagged?: boolean;
}

export interface ParameterDescription {
  readonly in: "path" | "query" | "header";
  readonly name: string;
  readonly description: string;
  readonly schema: object;
  readonly required?: boolean;
}

const flag = { type: "boolean", default: false };
const line = { type: "string", maxLength: 1000 };

export const PARAMETERS = {
  kind: { in: "path", name: "kind", description: "As DnsPolicy", schema: { type: "string" }, required: true },
  name: {
    in: "path",
    name: "name",
    description: "metadata.name; of an object of the mesh, NAMESPACE/NAME",
    schema: { type: "string" },
    required: true,
  },
  namespace: {
    in: "path",
    name: "namespace",
    description: "Of Kubernetes",
    schema: { type: "string" },
    required: true,
  },
  workload: {
    in: "path",
    name: "workload",
    description: "A name of the caller's choice, which no other of the namespace has",
    schema: { type: "string" },
    required: true,
  },
  version: {
    in: "path",
    name: "version",
    description: "The number of a version that is kept",
    schema: { type: "integer", minimum: 0 },
    required: true,
  },
  to: {
    in: "query",
    name: "version",
    description: "The version to go back to",
    schema: { type: "integer", minimum: 0 },
    required: true,
  },
  prune: {
    in: "query",
    name: "prune",
    description: "They become the whole set: whatever else there is, is deleted",
    schema: flag,
  },
  ofKind: {
    in: "query",
    name: "kind",
    description: "Only resources of this kind; objects of the mesh (Service, Pod, ...) are listed by their kind alone",
    schema: { type: "string" },
  },
  dryRun: { in: "query", name: "dryRun", description: "Only says what would change, as diffs", schema: flag },
  reason: { in: "query", name: "reason", description: "Why, for the history and the audit log", schema: line },
  author: {
    in: "query",
    name: "author",
    description: "Who asks, as a claim: only where neither token nor certificate says it",
    schema: line,
  },
  ifMatch: {
    in: "header",
    name: "If-Match",
    description: 'Nothing is changed unless this version is in force, as "41"',
    schema: { type: "string" },
  },
  window: {
    in: "query",
    name: "window",
    description: "How far back from now",
    schema: { type: "string", enum: [...WINDOWS], default: "15m" },
  },
  tenant: {
    in: "query",
    name: "tenant",
    description: "Only queries of this tenant's clients; - is for clients that are no tenant's. An editor's is its own",
    schema: { type: "string" },
  },
  top: {
    in: "query",
    name: "kind",
    description: "The most frequent of what",
    schema: { type: "string", enum: [...TOP_KINDS], default: "names" },
  },
  limit: { in: "query", name: "limit", description: "So many at most", schema: { type: "integer", minimum: 1 } },
  verdict: {
    in: "query",
    name: "verdict",
    description: "What became of the query",
    schema: { type: "string", enum: [...OUTCOMES] },
  },
  queryName: {
    in: "query",
    name: "name",
    description: "The name that was asked for, with * for any characters",
    schema: line,
  },
  client: { in: "query", name: "client", description: "An address, or a network as 10.0.0.0/8", schema: line },
  type: { in: "query", name: "type", description: "As AAAA", schema: line },
  rule: { in: "query", name: "rule", description: "POLICY/RULE that decided, or POLICY", schema: line },
  since: { in: "query", name: "since", description: "A time, or how long ago: 15m", schema: line },
  until: { in: "query", name: "until", description: "A time, or how long ago", schema: line },
  cursor: { in: "query", name: "cursor", description: "What the page before calls next", schema: line },
  node: { in: "query", name: "node", description: "Only the workers of this Envoy", schema: { type: "string" } },
} as const satisfies Readonly<Record<string, ParameterDescription>>;

const FILTER: readonly ParameterName[] = ["tenant", "verdict", "queryName", "client", "type", "rule"];

export type ParameterName = keyof typeof PARAMETERS;

const CHANGE: readonly ParameterName[] = ["dryRun", "reason", "author", "ifMatch"];

const CHANGE_REPLIES = {
  200: { description: "In force, and every worker obeys; or a dry run", json: "Applied", tagged: true },
  202: { description: "In force, and some worker may still answer by an older policy", json: "Applied", tagged: true },
  400: { description: "Not valid: nothing was changed", json: "Error" },
  404: { description: "There is no such resource or version", json: "Error" },
  409: { description: "The policy is read from a directory, or another has written at the same time", json: "Error" },
  412: { description: "Another version is in force", json: "Error", tagged: true },
  503: { description: "The store cannot be reached", json: "Error" },
} as const satisfies OperationDescription["replies"];

const BAD_QUESTION = {
  400: { description: "Not what can be asked", json: "Error" },
} as const satisfies OperationDescription["replies"];

const NO_STORE = { 404: { description: "Past queries are not kept", json: "Error" } } as const;

const NOT_FOUND = { 404: { description: "There is no such thing", json: "Error" } } as const;

export const OPERATIONS: Readonly<Record<`${Method} ${string}`, OperationDescription>> = {
  "GET /healthz": {
    id: "getHealth",
    summary: "Whether the service runs",
    replies: { 200: { description: "It runs", text: "text/plain" } },
  },
  "GET /readyz": {
    id: "getReadiness",
    summary: "Whether the service has a policy",
    replies: {
      200: { description: "It has", text: "text/plain" },
      503: { description: "No policy, or stopping", text: "text/plain" },
    },
  },
  "GET /metrics": {
    id: "getMetrics",
    summary: "Metrics in the text format of Prometheus, or of OpenMetrics for who accepts that",
    replies: { 200: { description: "Metrics", text: "text/plain" } },
  },
  "GET /v1/caller": {
    id: "getCaller",
    summary: "Who asks, as this service knows them, and their role",
    replies: { 200: { description: "The caller", json: "Caller" } },
  },
  "GET /v1/openapi.json": {
    id: "getDescription",
    summary: "This description",
    replies: { 200: { description: "OpenAPI 3.1", json: "OpenApi" } },
  },
  "GET /v1/resources": {
    id: "listResources",
    summary: "The resources in force: as they were written, or as JSON with what became of them",
    parameters: ["ofKind"],
    replies: {
      200: { description: "All of them", text: "application/yaml", json: "Resources", tagged: true },
    },
  },
  "PUT /v1/resources": {
    id: "applyResources",
    summary: "Create or replace resources",
    parameters: ["prune", ...CHANGE],
    takes: "yaml",
    replies: {
      ...CHANGE_REPLIES,
      413: { description: "Too large", json: "Error" },
      415: { description: "Neither YAML nor files of it", json: "Error" },
    },
  },
  "GET /v1/resources/{kind}/{name}": {
    id: "getResource",
    summary: "One resource in force: as it was written, or as JSON with what became of it",
    replies: {
      200: { description: "The resource", text: "application/yaml", json: "Resource", tagged: true },
      ...NOT_FOUND,
    },
  },
  "DELETE /v1/resources/{kind}/{name}": {
    id: "deleteResource",
    summary: "Delete a resource",
    parameters: CHANGE,
    replies: CHANGE_REPLIES,
  },
  "GET /v1/history": {
    id: "listVersions",
    summary: "The versions that are kept",
    replies: { 200: { description: "The last hundred", json: "History", tagged: true }, ...NOT_FOUND },
  },
  "GET /v1/history/{version}": {
    id: "getVersion",
    summary: "A version with its resources",
    replies: {
      200: { description: "The version", json: "Version" },
      400: { description: "No number", json: "Error" },
      ...NOT_FOUND,
    },
  },
  "POST /v1/rollback": {
    id: "rollBack",
    summary: "Make what an old version said a new version",
    parameters: ["to", ...CHANGE],
    replies: CHANGE_REPLIES,
  },
  "GET /v1/upstreams": {
    id: "listUpstreamServers",
    summary:
      "The servers of the upstreams in force, and until when their certificates are valid, where the service looks",
    replies: { 200: { description: "In the order of the policy", json: "UpstreamServers" } },
  },
  "GET /v1/lint": {
    id: "lint",
    summary: "What deserves a second look in the resources in force: rules that never have a word, and the like",
    replies: { 200: { description: "In the order of the resources", json: "Findings" } },
  },
  "POST /v1/explain": {
    id: "explain",
    summary:
      "What becomes of a question, by which rule, and which other rules were considered, now or after a change; changes nothing",
    takes: "ExplainRequest",
    replies: {
      200: { description: "The verdict in words", json: "Explanation" },
      400: { description: "No such question", json: "Error" },
      413: { description: "Too large", json: "Error" },
      415: { description: "No JSON", json: "Error" },
      503: { description: "There is no policy yet", json: "Error" },
    },
  },
  "GET /v1/workers": {
    id: "listWorkers",
    summary: "Workers, and the revision that each has acknowledged",
    replies: { 200: { description: "All that may answer", json: "Workers" } },
  },
  "GET /v1/status": {
    id: "getStatus",
    summary: "Which policy is in force, and who obeys it",
    replies: { 200: { description: "The state of the service", json: "Status", tagged: true } },
  },
  "GET /v1/telemetry/overview": {
    id: "getOverview",
    summary: "What tenants' queries were and what became of them",
    parameters: ["window", "tenant"],
    replies: { 200: { description: "Sums", json: "Overview" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/series": {
    id: "getSeries",
    summary: "The same over time, as columns",
    parameters: ["window", "tenant", "limit"],
    replies: { 200: { description: "Columns", json: "Series" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/top": {
    id: "getTop",
    summary: "The names, denied names, or clients that are most frequent",
    parameters: ["top", "window", "tenant", "limit"],
    replies: { 200: { description: "Most frequent first", json: "Top" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/tenants": {
    id: "getTenantMap",
    summary: "Who looks up whose names",
    parameters: ["window", "tenant", "limit"],
    replies: { 200: { description: "A graph", json: "TenantMap" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/upstreams": {
    id: "getUpstreams",
    summary: "How upstreams answer",
    parameters: ["window", "tenant"],
    replies: { 200: { description: "Most queries first", json: "Upstreams" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/connections": {
    id: "getConnections",
    summary:
      "Connections that Envoys have asked about: what was refused, and which names resolved and could not be reached",
    parameters: ["window", "tenant", "limit"],
    replies: { 200: { description: "Most frequent first", json: "Connections" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/mirrors": {
    id: "getMirrors",
    summary:
      "Questions that second upstreams were asked, too: how often they said the same, and of which names they do not",
    parameters: ["window", "tenant", "limit"],
    replies: { 200: { description: "Most frequent first", json: "Mirrors" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/rules": {
    id: "getRules",
    summary:
      "How often each rule decided a query since its store was begun, or without one since the service runs, and when it last did",
    parameters: ["tenant"],
    replies: { 200: { description: "Most hits first", json: "Rules" } },
  },
  "GET /v1/telemetry/events": {
    id: "watchQueries",
    summary: "Queries as they come: server-sent events `query`, each with a Query, and `lost`",
    parameters: FILTER,
    replies: { 200: { description: "For as long as you stay", text: "text/event-stream" }, ...BAD_QUESTION },
  },
  "GET /v1/telemetry/queries": {
    id: "searchQueries",
    summary: "Past queries, newest first",
    parameters: [...FILTER, "since", "until", "limit", "cursor"],
    replies: { 200: { description: "A page of them", json: "Queries" }, ...BAD_QUESTION, ...NO_STORE },
  },
  "DELETE /v1/telemetry/queries": {
    id: "eraseQueries",
    summary: "Erase past queries for good",
    parameters: FILTER,
    replies: { 200: { description: "They are gone", json: "Erased" }, ...BAD_QUESTION, ...NO_STORE },
  },
  "PUT /v1/workloads/{namespace}/{workload}": {
    id: "registerWorkload",
    summary: "Be an endpoint of a ServiceEntry for some time; again, in time, to stay one",
    takes: "RegistrationRequest",
    replies: {
      200: { description: "It is one", json: "Registered" },
      400: { description: "No registration", json: "Error" },
      404: { description: "There is no such ServiceEntry", json: "Error" },
      409: { description: "The ServiceEntry chooses no workloads by labels", json: "Error" },
      503: { description: "There are too many", json: "Error" },
    },
  },
  "DELETE /v1/workloads/{namespace}/{workload}": {
    id: "unregisterWorkload",
    summary: "Be an endpoint no more",
    replies: {
      200: { description: "It is none", json: "Unregistered" },
      404: { description: "It was none", json: "Error" },
    },
  },
  "POST /v1/drain": {
    id: "drain",
    summary: "Tell workers that their Envoy is about to be stopped",
    parameters: ["node"],
    replies: { 200: { description: "They are told", json: "Told" } },
  },
};
