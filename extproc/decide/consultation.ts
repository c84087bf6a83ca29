/**
 * What decision points say of one question, for the rules that leave it to them: each rule's is asked for once.
 */
import type { Decider, PointQuestion, Said } from "../compiled/decision-point.ts";
import { RULE_DECIDER, RULE_WORDS } from "../compiled/layout.ts";
import { readAddress } from "../compiled/networks.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import { presentName } from "../dns/names.ts";
import type { DecisionRequest } from "./request.ts";

/** What was not said is taken for said no longer: whoever can say it may be back. */
const FAILED_MS = 1000;

export class Consultation {
  readonly #snapshot: Snapshot;
  readonly #request: DecisionRequest;
  readonly #tenant: string;
  readonly #nameRule: (rule: number) => { readonly policy: string; readonly rule: string };
  readonly #said = new Map<number, Said>();

  constructor(
    snapshot: Snapshot,
    request: DecisionRequest,
    tenant: string,
    nameRule: (rule: number) => { readonly policy: string; readonly rule: string },
  ) {
    this.#snapshot = snapshot;
    this.#request = request;
    this.#tenant = tenant;
    this.#nameRule = nameRule;
  }

  /** Of a rule that was consulted; undefined for one that decides itself. */
  get(rule: number): Said | undefined {
    return this.#said.get(rule);
  }

  ask(rule: number): Said {
    const known = this.#said.get(rule);
    if (known !== undefined) return known;
    const { tables, sections } = this.#snapshot;
    const decider = tables.deciders[(sections.rules[rule * RULE_WORDS + RULE_DECIDER] ?? 0) - 1];
    if (decider === undefined) throw new Error(`expected a decider of rule ${rule}, got none`);
    const { consult, time } = this.#request;
    const question = this.#question(decider.byClient);
    const said = consult?.(decider, question, this.#nameRule(rule)) ?? saidByNobody(decider, time);
    this.#said.set(rule, said);
    return said;
  }

  #question(byClient: boolean): PointQuestion {
    const { qname, qtype, transport } = this.#request;
    const name = presentName(qname).toLowerCase();
    return {
      tenant: this.#tenant,
      name: name === "." ? name : name.slice(0, -1),
      qtype,
      transport,
      client: byClient ? canonical(this.#request.address) : undefined,
    };
  }
}

/** What is taken for said where nothing is; `now`: milliseconds since 1970. */
export function saidByNobody({ onError }: Decider, now: number): Said {
  return { action: onError, reason: "", failed: true, until: now + FAILED_MS };
}

/** A subject is the same in both forms of an IPv4 address (RFC 4291, section 2.5.5.2), and so are its decisions. */
function canonical(address: Uint8Array): Uint8Array {
  return readAddress(address)?.lead === 96 ? address.subarray(12) : address;
}
