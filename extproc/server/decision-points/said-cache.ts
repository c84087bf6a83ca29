/**
 * What decision points have said, by all that it holds for: one name or a domain, one type or any, one transport or any.
 */
import type { Decider, PointQuestion, Said } from "../../compiled/decision-point.ts";

/** Each has some 300 octets. */
const MAX_KEPT = 50_000;

/** In which of these ways something was said to hold: only these are looked for. */
interface Form {
  readonly below: boolean;
  readonly anyType: boolean;
  readonly anyTransport: boolean;
}

export class SaidCache {
  /** In the order of their coming. */
  readonly #said = new Map<string, Said>();
  readonly #forms = new Map<string, Form>();

  add(decider: Decider, question: PointQuestion, said: Said): void {
    const { labels, anyType = false, anyTransport = false } = said;
    const form = { below: labels !== undefined, anyType, anyTransport };
    this.#forms.set(JSON.stringify(form), form);
    const names = labels === undefined ? question.name : lastLabels(question.name, labels);
    const key = keyOf(decider, question, form, names);
    this.#said.delete(key);
    this.#said.set(key, said);
    const [oldest] = this.#said.keys();
    if (this.#said.size > MAX_KEPT && oldest !== undefined) this.#said.delete(oldest);
  }

  /** `now`: milliseconds since 1970. */
  find(decider: Decider, question: PointQuestion, now: number): Said | undefined {
    for (const form of this.#forms.values()) {
      for (const names of form.below ? domainsOf(question.name) : [question.name]) {
        const key = keyOf(decider, question, form, names);
        const said = this.#said.get(key);
        if (said === undefined) continue;
        if (said.until > now) return said;
        this.#said.delete(key);
      }
    }
    return undefined;
  }
}

function keyOf(
  { url, ttlMs, onError }: Decider,
  { tenant, qtype, transport, client }: PointQuestion,
  { below, anyType, anyTransport }: Form,
  names: string,
): string {
  const who = client === undefined ? "" : Buffer.from(client).toString("hex");
  const type = anyType ? "*" : qtype;
  return JSON.stringify([url, ttlMs, onError, tenant, who, below, names, type, anyTransport ? "*" : transport]);
}

/** A dot in a label has a backslash before it. */
function labelsOf(name: string): string[] {
  return name === "." ? [] : (name.match(/(?:[^.\\]|\\.)+/g) ?? []);
}

export function lastLabels(name: string, count: number): string {
  const labels = labelsOf(name);
  return labels.slice(labels.length - count).join(".");
}

/** The name itself, and every name above it. */
function domainsOf(name: string): string[] {
  const labels = labelsOf(name);
  return Array.from({ length: labels.length + 1 }, (_, index) => labels.slice(index).join("."));
}

/** How many trailing labels of the name the domain is; undefined where the name is not at or below it. */
export function labelsAbove(name: string, domain: string): number | undefined {
  const wanted = domain.toLowerCase().replace(/(?<=.)\.$/, "");
  const count = wanted === "." || wanted === "" ? 0 : labelsOf(wanted).length;
  return count <= labelsOf(name).length && lastLabels(name, count) === (count === 0 ? "" : wanted) ? count : undefined;
}
