/**
 * What rules have matched, on disk, so that a rule that nobody has needed for a month is found although the service was restarted
 * meanwhile: one JSON document, written anew about once a minute. A service that is killed loses what came since.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";

export interface KeptRules {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly rules: readonly KeptRule[];
}

export type KeptRule = readonly [
  tenant: string,
  policy: string,
  rule: string,
  /** How often it had a word. */
  hits: number,
  /** How often it was met in mode Audit, by action. */
  audits: readonly (number | null)[],
  /** Milliseconds since 1970. */
  last: number,
];

export class RuleMemory {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined where nothing was kept; an Error for a file that this has not written. */
  read(): KeptRules | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const content: unknown = JSON.parse(text);
    if (!isKept(content)) throw new Error(`expected what a policy service has kept of its rules, got ${this.#path}`);
    return content;
  }

  write(rules: KeptRules): void {
    const temporary = `${this.#path}.writing`;
    writeFileSync(temporary, JSON.stringify(rules), { mode: 0o600 });
    renameSync(temporary, this.#path);
  }
}

function isKept(content: unknown): content is KeptRules {
  const { since, rules } = (content ?? {}) as Partial<Record<keyof KeptRules, unknown>>;
  return typeof since === "number" && Array.isArray(rules) && rules.every(isKeptRule);
}

function isKeptRule(row: unknown): row is KeptRule {
  if (!Array.isArray(row) || row.length !== 6) return false;
  const [tenant, policy, rule, hits, audits, last] = row as unknown[];
  return (
    [tenant, policy, rule].every((name) => typeof name === "string") &&
    [hits, last].every((number) => typeof number === "number") &&
    Array.isArray(audits) &&
    audits.every((count) => count === null || typeof count === "number")
  );
}
