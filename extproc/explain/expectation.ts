/**
 * What somebody expects of a question, and where it differs from what came.
 */
import { z } from "zod";
import { FAILURE_RCODES } from "../decide/rewritten.ts";
import { presentAddress } from "../dns/address.ts";
import { address, ttl } from "../resources/field.ts";
import type { End, Explanation } from "./explanation.ts";
import { FATES } from "./rules.ts";

/** For a tenant, a rule, an EDE or an upstream: that there is none. */
const NONE = "none";

const OUTCOMES = ["forward", "deny", "fault", "answer", "rewrite"] as const;

/** What is not there may come as it likes. */
export const expectation = z
  .strictObject({
    outcome: z.enum(OUTCOMES).optional(),
    tenant: z.string().optional(),
    /** The one that decides, as policy/rule. */
    rule: z.string().optional(),
    /** RCODE of an answer that is made here; Drop and Truncate are no answer. */
    rcode: z.string().optional(),
    /** INFO-CODE, or its name. */
    ede: z.union([z.string(), z.int()]).optional(),
    text: z.string().optional(),
    ttl: ttl.optional(),
    addresses: z.array(address).optional(),
    records: z.array(z.string()).optional(),
    upstream: z.string().optional(),
    /** The name that is answered instead; of what comes back, the fields above are what becomes of that. */
    rewritten: z.string().optional(),
    /** Of any rules of the tenant, policy/rule: what each has to do with the question. */
    rules: z.record(z.string(), z.enum(FATES)).optional(),
  })
  .refine((value) => Object.values(value).some((field) => field !== undefined), {
    message: `expected outcome, tenant, rule, rcode, ede, text, ttl, addresses, records, upstream, rewritten or rules, got none of them`,
  });

export type Expectation = z.output<typeof expectation>;

export interface Mismatch {
  readonly field: string;
  readonly expected: string;
  readonly got: string;
}

export function compare(expected: Expectation, explanation: Explanation): Mismatch[] {
  const { policy, rule, client, outcome, rewritten } = explanation;
  const end = rewritten?.end ?? explanation;
  const { denial, upstream, records = [] } = end;
  const found: Mismatch[] = [];
  const look = (field: string, wanted: string | undefined, got: string, same = wanted === got) => {
    if (wanted !== undefined && !same) found.push({ field, expected: wanted, got });
  };
  look("outcome", expected.outcome, outcome);
  look("tenant", expected.tenant, client.tenant || NONE);
  look("rule", expected.rule, rule === "" ? NONE : `${policy}/${rule}`);
  look("rcode", expected.rcode, rewritten?.failure === undefined ? rcodeOf(end) : FAILURE_RCODES[rewritten.failure]);
  const ede = expected.ede === undefined ? undefined : String(expected.ede);
  look("ede", ede, denial?.ede ?? NONE, ede !== undefined && sameEde(ede, denial?.ede ?? NONE));
  look("text", expected.text, denial?.text ?? "");
  look("ttl", expected.ttl === undefined ? undefined : String(expected.ttl), String(denial?.ttl ?? NONE));
  look("addresses", expected.addresses && list(expected.addresses.map(presentAddress)), list(addressesIn(records)));
  look("records", expected.records && list(expected.records), list(records));
  look("rewritten", expected.rewritten && canonicalName(expected.rewritten), rewritten?.name ?? NONE);
  look("upstream", expected.upstream, upstream?.name ?? NONE);
  for (const [name, fate] of Object.entries(expected.rules ?? {})) {
    const considered = explanation.rules.find((one) => `${one.policy}/${one.rule}` === name);
    look(`rules.${name}`, fate, considered?.fate ?? "no such rule of the tenant");
  }
  return found;
}

/** With its final dot, as explanations have names. */
function canonicalName(name: string): string {
  return name === NONE || name.endsWith(".") ? name : `${name}.`;
}

/** Of what is answered here; what an upstream will say is not known. */
function rcodeOf({ outcome, denial, fault }: End): string {
  if (outcome === "forward") return "that of the upstream";
  if (outcome === "answer") return "NOERROR";
  if (outcome === "fault") return fault?.code ?? NONE;
  return denial?.form ?? denial?.rcode ?? NONE;
}

/** `got` is as 15 (Blocked), or a number alone. */
function sameEde(expected: string, got: string): boolean {
  const [, code, name] = /^(\d+)(?: \((\w+)\))?$/.exec(got) ?? [];
  return expected === (code ?? NONE) || expected === name;
}

function addressesIn(records: readonly string[]): string[] {
  return records
    .filter((record) => /^A(AAA)? [^\\]/.test(record))
    .map((record) => record.slice(record.indexOf(" ") + 1));
}

/** In no order: answers have none. */
function list(texts: readonly string[]): string {
  return texts.length === 0 ? NONE : texts.toSorted().join(", ");
}
