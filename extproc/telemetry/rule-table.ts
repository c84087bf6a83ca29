/**
 * How often each rule had a word, and when it last had: since the service runs, or since a memory of it was begun.
 */
import { OTHER } from "./bounded-labels.ts";
import type { RuleHits, Rules } from "./questions.ts";
import type { KeptRules } from "./rule-memory.ts";

/** Rules of tenants that are told apart. */
const MAX_RULES = 20_000;

interface Row {
  readonly tenant: string;
  readonly policy: string;
  readonly rule: string;
  hits: number;
  /** By RuleAction of verdict.proto. */
  readonly audits: number[];
  last: number;
}

/** For metrics: of each rule and tenant. */
export interface RuleCount {
  readonly tenant: string;
  readonly policy: string;
  readonly rule: string;
  readonly hits: number;
  readonly audits: readonly number[];
}

export class RuleTable {
  readonly #since: number;
  readonly #rows = new Map<string, Row>();

  constructor({ since, rules }: KeptRules) {
    this.#since = since;
    for (const [tenant, policy, rule, hits, audits, last] of rules) {
      const counts = audits.map((count) => count ?? 0);
      this.#rows.set(keyOf(tenant, policy, rule), { tenant, policy, rule, hits, audits: counts, last });
    }
  }

  /** All of it, for another table. */
  toKeep(): KeptRules {
    const rules = [...this.#rows.values()].map(
      ({ tenant, policy, rule, hits, audits, last }): KeptRules["rules"][number] => {
        return [tenant, policy, rule, hits, [...audits], last];
      },
    );
    return { since: this.#since, rules };
  }

  hit(tenant: string, policy: string, rule: string, now: number): void {
    const row = this.#row(tenant, policy, rule);
    row.hits++;
    row.last = now;
  }

  audit(tenant: string, policy: string, rule: string, action: number, now: number): void {
    const row = this.#row(tenant, policy, rule);
    row.audits[action] = (row.audits[action] ?? 0) + 1;
    row.last = now;
  }

  /** Tenants together; most hits first. */
  list(tenant: string | undefined): Rules {
    const rules = new Map<string, { policy: string; rule: string; hits: number; audited: number; last: number }>();
    for (const row of this.#rows.values()) {
      if (tenant !== undefined && tenant !== row.tenant) continue;
      const { policy, rule, hits, audits, last } = row;
      const key = `${policy}/${rule}`;
      const sum = rules.get(key) ?? { policy, rule, hits: 0, audited: 0, last: 0 };
      sum.hits += hits;
      sum.audited += audits.reduce((total, count) => total + (count ?? 0), 0);
      sum.last = Math.max(sum.last, last);
      rules.set(key, sum);
    }
    const described = [...rules.values()].map(({ last, ...rule }): RuleHits => {
      return { ...rule, last: new Date(last).toISOString() };
    });
    described.sort((a, b) => b.hits - a.hits || b.audited - a.audited);
    const since = new Date(this.#since).toISOString();
    return { since, ...(tenant === undefined ? {} : { tenant }), rules: described };
  }

  counts(): readonly RuleCount[] {
    return [...this.#rows.values()];
  }

  #row(tenant: string, policy: string, rule: string): Row {
    const key = keyOf(tenant, policy, rule);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (this.#rows.size >= MAX_RULES && rule !== OTHER) return this.#row(OTHER, OTHER, OTHER);
    const row: Row = { tenant, policy, rule, hits: 0, audits: [], last: 0 };
    this.#rows.set(key, row);
    return row;
  }
}

function keyOf(tenant: string, policy: string, rule: string): string {
  return `${tenant}/${policy}/${rule}`;
}
