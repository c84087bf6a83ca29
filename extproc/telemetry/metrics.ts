/**
 * What /metrics shows. Every label is bounded: tenants in number, the others by what DNS and the protos know.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { BoundedLabels, OTHER, TenantLabels } from "./bounded-labels.ts";
import { BucketHistogram } from "./bucket-histogram.ts";
import type { Exemplar } from "./exemplars.ts";
import { COMPARISONS, nameOf, RULE_ACTIONS, TRANSPORTS } from "./labels.ts";
import { LATENCY_BOUNDS_US } from "./latency-buckets.ts";

/** Pairs of a policy and a rule, and upstreams, that are counted one by one. */
const MAX_RULES = 1000;
const MAX_UPSTREAMS = 200;

const DECISION_BUCKETS = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.2];

const CHECK_BUCKETS = [...DECISION_BUCKETS, 0.3, 0.5];

/** Of a network nearby, and of one that is far: Envoy gives up after 5 s. */
const CONNECT_BUCKETS = [0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What is counted by events: absolute figures, since the service runs. */
export interface EventCounts {
  readonly events: number;
  readonly rules: readonly {
    readonly tenant: string;
    readonly policy: string;
    readonly rule: string;
    readonly hits: number;
    /** By RuleAction of verdict.proto. */
    readonly audits: readonly number[];
  }[];
  /** Buckets of LATENCY_BOUNDS_US, and one more. */
  readonly upstreams: readonly {
    readonly upstream: string;
    readonly buckets: readonly number[];
    readonly microseconds: number;
  }[];
  /** By Comparison.Result of sync.proto. */
  readonly comparisons: readonly {
    readonly tenant: string;
    readonly upstream: string;
    readonly results: readonly number[];
  }[];
  readonly exports: readonly { readonly exporter: string; readonly sent: number; readonly lost: number }[];
  readonly exemplars: readonly Exemplar[];
}

export type Metrics = ReturnType<typeof createMetrics>;

/** `process`: the figures of this Node process, too. */
export function createMetrics({ process = false }: { readonly process?: boolean } = {}) {
  const registry = new Registry();
  if (process) {
    collectDefaultMetrics({ register: registry });
    // Gauges whose names are those of counters: promtool minds. The same figures are there by kind, without the suffix.
    for (const kind of ["handles", "requests", "resources"]) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  }
  const registers = [registry];
  const tenants = new TenantLabels();
  const rules = new BoundedLabels(MAX_RULES);
  const upstreams = new BoundedLabels(MAX_UPSTREAMS);
  const latency = new BucketHistogram({
    name: "dns_query_duration_seconds",
    help: "Time from reading a query to handing its answer to Envoy.",
    labelNames: ["tenant", "transport"] as const,
    buckets: LATENCY_BOUNDS_US.map((microseconds) => microseconds / 1e6),
    registry,
  });
  const upstreamLatency = new BucketHistogram({
    name: "dns_upstream_duration_seconds",
    help: "Time from a question that went out to the upstream's answer, by the events that workers could send.",
    labelNames: ["upstream"] as const,
    buckets: LATENCY_BOUNDS_US.map((microseconds) => microseconds / 1e6),
    registry,
  });
  const ruleHits = new Counter({
    name: "dns_rule_hits_total",
    help: "Queries that a rule decided, by the events that workers could send.",
    labelNames: ["tenant", "policy", "rule"] as const,
    registers,
  });
  const auditHits = new Counter({
    name: "dns_audit_hits_total",
    help: "What rules in mode Audit would have done, by the events that workers could send.",
    labelNames: ["tenant", "policy", "rule", "would"] as const,
    registers,
  });
  const comparisons = new Counter({
    name: "dns_mirrored_total",
    help: "Questions that a second upstream was asked too: whether it said the same, by what workers could tell.",
    labelNames: ["tenant", "upstream", "result"] as const,
    registers,
  });
  const events = new Counter({ name: "dns_query_events_total", help: "Query events of workers.", registers });
  const exported = new Counter({
    name: "dns_exported_events_total",
    help: "Query events that an exporter has handed over to the network, or the query store has written.",
    labelNames: ["exporter"] as const,
    registers,
  });
  const exportLost = new Counter({
    name: "dns_export_lost_events_total",
    help: "Query events that an exporter could not send, or the query store not write: its peer, or the disk, was away or too slow.",
    labelNames: ["exporter"] as const,
    registers,
  });
  const publish = (counts: EventCounts): void => {
    for (const metric of [events, ruleHits, auditHits, comparisons, upstreamLatency, exported, exportLost])
      metric.reset();
    events.inc(counts.events);
    for (const row of counts.rules) {
      const known = rules.bound(`${row.policy}/${row.rule}`) !== OTHER;
      const { policy, rule } = known ? row : { policy: OTHER, rule: OTHER };
      const labels = { tenant: tenants.label(row.tenant), policy, rule };
      if (row.hits > 0) ruleHits.inc(labels, row.hits);
      for (const [action, count] of row.audits.entries()) {
        if (count > 0) auditHits.inc({ ...labels, would: nameOf(RULE_ACTIONS, action) }, count);
      }
    }
    for (const { tenant, upstream, results } of counts.comparisons) {
      const labels = { tenant: tenants.label(tenant), upstream: upstreams.bound(upstream) };
      for (const [result, count] of results.entries()) {
        if (count > 0) comparisons.inc({ ...labels, result: nameOf(COMPARISONS, result) }, count);
      }
    }
    for (const { upstream, buckets, microseconds } of counts.upstreams) {
      upstreamLatency.add({ upstream: upstreams.bound(upstream) }, buckets, microseconds / 1e6);
    }
    for (const { tenant, transport, bucket, trace, microseconds, time } of counts.exemplars) {
      const labels = { tenant: tenants.label(tenant), transport: nameOf(TRANSPORTS, transport) };
      latency.show(labels, bucket, { labelSet: { trace_id: trace }, value: microseconds / 1e6, timestamp: time / 1e6 });
    }
    for (const { exporter, sent, lost } of counts.exports) {
      exported.inc({ exporter }, sent);
      exportLost.inc({ exporter }, lost);
    }
  };
  return {
    registry,
    publish,
    tenants,
    latency,
    queries: new Counter({
      name: "dns_queries_total",
      help: "Queries answered.",
      labelNames: ["tenant", "transport", "type", "outcome", "rcode"] as const,
      registers,
    }),
    audited: new Counter({
      name: "dns_audited_queries_total",
      help: "Queries that rules in mode Audit have met: by whether one would have denied it.",
      labelNames: ["tenant", "audit"] as const,
      registers,
    }),
    cache: new Counter({
      name: "dns_cache_total",
      help: "Queries that were forwarded, or answered from what was, by what the answer cache had.",
      labelNames: ["tenant", "result"] as const,
      registers,
    }),
    eventsDropped: new Counter({
      name: "dns_events_dropped_total",
      help: "Query events that workers could not send.",
      registers,
    }),
    mirrorsDropped: new Counter({
      name: "dns_mirrored_dropped_total",
      help: "Questions that a second upstream was not asked, since too many were under way there.",
      registers,
    }),
    queryLogDropped: new Counter({
      name: "dns_query_log_dropped_total",
      help: "Lines that the query log could not keep.",
      registers,
    }),
    reports: new Counter({ name: "dns_reports_total", help: "Reports of workers.", registers }),
    workers: new Gauge({ name: "dns_workers_connected", help: "Workers with an open Sync stream.", registers }),
    workersBehind: new Gauge({
      name: "dns_workers_behind",
      help: "Workers that may still answer by an older policy.",
      registers,
    }),
    envoys: new Gauge({ name: "dns_envoys_connected", help: "Envoys with an open cluster stream.", registers }),
    meshObjects: new Gauge({ name: "dns_mesh_objects", help: "Objects of the mesh.", registers }),
    meshNames: new Gauge({ name: "dns_mesh_names", help: "Names that are made of them.", registers }),
    listNames: new Gauge({
      name: "dns_list_names",
      help: "Names of a NameList, as it was read last.",
      labelNames: ["list"] as const,
      registers,
    }),
    listsFailing: new Gauge({
      name: "dns_list_failing",
      help: "1 for a NameList that could not be read when it was last tried: its names are those from before.",
      labelNames: ["list"] as const,
      registers,
    }),
    sourceNames: new Gauge({
      name: "dns_mesh_source_names",
      help: "Names of a MeshSource, as it was read last.",
      labelNames: ["source"] as const,
      registers,
    }),
    sourcesFailing: new Gauge({
      name: "dns_mesh_source_failing",
      help: "1 for a MeshSource that could not be read when it was last tried.",
      labelNames: ["source"] as const,
      registers,
    }),
    virtualAddresses: new Gauge({
      name: "dns_mesh_virtual_addresses",
      help: "Virtual addresses that there are (size), in use, in quarantine; and hosts without one.",
      labelNames: ["state"] as const,
      registers,
    }),
    certificatesUntil: new Gauge({
      name: "dns_upstream_certificate_not_after_timestamp_seconds",
      help: "Until when the certificate of an upstream server is valid, where the service looks at it.",
      labelNames: ["upstream", "server"] as const,
      registers,
    }),
    meshEndpoints: new Gauge({
      name: "dns_mesh_endpoints",
      help: "Endpoints of the mesh that this service looks after, by whether they are well.",
      labelNames: ["state"] as const,
      registers,
    }),
    envoysRejecting: new Gauge({
      name: "dns_envoys_rejecting",
      help: "Envoys that have rejected their newest clusters.",
      registers,
    }),
    decisions: new Counter({
      name: "dns_decisions_total",
      help: "Decisions that workers asked for.",
      labelNames: ["outcome"] as const,
      registers,
    }),
    decisionDuration: new Histogram({
      name: "dns_decision_duration_seconds",
      help: "Time to make a decision, without the transport.",
      buckets: DECISION_BUCKETS,
      registers,
    }),
    pointAnswers: new Counter({
      name: "dns_decision_point_answers_total",
      help: "What decision points have said when they were asked.",
      labelNames: ["point", "answer"] as const,
      registers,
    }),
    pointDuration: new Histogram({
      name: "dns_decision_point_duration_seconds",
      help: "Time until a decision point has answered, or was given up.",
      labelNames: ["point"] as const,
      buckets: DECISION_BUCKETS,
      registers,
    }),
    connectionChecks: new Counter({
      name: "dns_connection_checks_total",
      help: "Connections that Envoys have asked about.",
      labelNames: ["tenant", "outcome"] as const,
      registers,
    }),
    connections: new Counter({
      name: "dns_connections_total",
      help: "Connections that were allowed, by whether they came about.",
      labelNames: ["tenant", "outcome"] as const,
      registers,
    }),
    connectDuration: new Histogram({
      name: "dns_connect_duration_seconds",
      help: "Time until a connection that was allowed was open, as Envoys tell it.",
      labelNames: ["tenant"] as const,
      buckets: CONNECT_BUCKETS,
      registers,
    }),
    connectionCheckDuration: new Histogram({
      name: "dns_connection_check_duration_seconds",
      help: "Time to say whether a connection may be opened, without the transport.",
      buckets: CHECK_BUCKETS,
      registers,
    }),
    revision: new Gauge({
      name: "dns_policy_revision",
      help: "Sequence number of the policy in force; 0 is none.",
      registers,
    }),
    policyProblems: new Gauge({
      name: "dns_policy_problems",
      help: "Why newer content of the policy is not in force: reasons; 0 where nothing is held back.",
      registers,
    }),
    applies: new Counter({
      name: "dns_policy_applies_total",
      help: "Changes of the policy that were asked for.",
      labelNames: ["result"] as const,
      registers,
    }),
  };
}
