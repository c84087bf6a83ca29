/**
 * What a webhook is told: denials of a window of time, those alike (tenant, rule, name) as one with a count. So a storm is a
 * message and not a thousand, and a rule that denies ever other names is a few messages, and not one for each.
 */
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toQueryRecord } from "../query-record.ts";
import { type Denial, denialOf, describeDenial } from "./denial.ts";
import type { WebhookOptions } from "./webhooks-file.ts";

/** Names of a rule and tenant in a window; what is beyond them is one alert without a name. */
const MAX_NAMES = 20;
/** Alerts in a window. */
const MAX_ALERTS = 1000;

/** In JSON, the `data` of a message; of the first query where the others may be other. */
export interface Alert {
  readonly summary: string;
  readonly kind: Denial["kind"];
  count: number;
  readonly first: string | undefined;
  last: string | undefined;
  readonly tenant: string | undefined;
  readonly policy: string;
  readonly rule: string;
  /** Undefined for all names that are too many to be told of. */
  readonly qname: string | undefined;
  readonly [field: string]: unknown;
}

export class WebhookAlerts {
  readonly #wanted: Pick<WebhookOptions, "alerts" | "tenants" | "rules">;
  #alerts = new Map<string, Alert>();
  /** Of each tenant and rule. */
  #names = new Map<string, number>();
  /** Queries that there was no room for. */
  lost = 0;

  constructor(wanted: Pick<WebhookOptions, "alerts" | "tenants" | "rules">) {
    this.#wanted = wanted;
  }

  /** Whether there is anything to tell. */
  get some(): boolean {
    return this.#alerts.size > 0;
  }

  add(event: QueryEvent__Output, node: string): void {
    const denial = denialOf(event);
    if (denial === undefined || !this.#wants(denial, event.tenant)) return;
    const rule = JSON.stringify([denial.kind, event.tenant, denial.policy, denial.rule]);
    const { qname = "", time } = toQueryRecord(event);
    const named = `${rule} ${qname.toLowerCase()}`;
    const alert = this.#alerts.get(named) ?? this.#begin(denial, event, node, { rule, named });
    if (alert === undefined) {
      this.lost++;
      return;
    }
    alert.count++;
    alert.last = time;
  }

  /** All of the window; another begins. */
  take(): Alert[] {
    const alerts = [...this.#alerts.values()];
    this.#alerts = new Map();
    this.#names = new Map();
    return alerts;
  }

  #wants({ kind, policy, rule }: Denial, tenant: string): boolean {
    const { alerts, tenants, rules } = this.#wanted;
    if (!alerts.includes(kind)) return false;
    if (tenants !== undefined && !tenants.includes(tenant)) return false;
    return rules === undefined || rules.includes(policy) || rules.includes(`${policy}/${rule}`);
  }

  /** The alert that this query is counted in; undefined where there are too many. */
  #begin(
    denial: Denial,
    event: QueryEvent__Output,
    node: string,
    { rule, named }: { readonly rule: string; readonly named: string },
  ): Alert | undefined {
    const names = this.#names.get(rule) ?? 0;
    const key = names < MAX_NAMES ? named : rule;
    const known = this.#alerts.get(key);
    if (known !== undefined) return known;
    if (this.#alerts.size >= MAX_ALERTS) return undefined;
    this.#names.set(rule, names + 1);
    const { time, tenant, qname, qtype, client, transport, rcode, ede, revision } = toQueryRecord(event);
    const { kind, policy, rule: name } = denial;
    const one = { qname, qtype, client, transport, rcode, ede, revision };
    const alert: Alert = {
      summary: describeDenial(denial, event, key === rule),
      kind,
      count: 0,
      first: time,
      last: time,
      tenant,
      policy,
      rule: name,
      node,
      ...(key === rule ? { qname: undefined } : one),
    };
    this.#alerts.set(key, alert);
    return alert;
  }
}
