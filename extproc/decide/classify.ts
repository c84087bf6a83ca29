/**
 * Which of a tenant's policies speak of this client: for each condition, whether it is met. Clients of one tenant for
 * which the same conditions are met are one subject.
 */
import { createHash } from "node:crypto";
import {
  CONDITION_EXCEPT,
  CONDITION_HAS_EXCEPT,
  CONDITION_SUBJECT,
  CONDITION_WORDS,
  SELECTOR_BY_ADDRESS,
  SELECTOR_BY_PRINCIPAL,
  SELECTOR_FIRST4,
  SELECTOR_PODS,
  SELECTOR_PRINCIPAL_COUNT,
  SELECTOR_PRINCIPALS,
  TENANT_CONDITION_COUNT,
  TENANT_CONDITIONS,
  TENANT_WORDS,
} from "../compiled/layout.ts";
import { type Address, bitsOf, findInBlocks } from "../compiled/networks.ts";
import { selectsPod } from "../compiled/pods.ts";
import { matchPrincipal } from "../compiled/principals.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import type { ClientEvidence, Identity } from "./client.ts";

export interface ClientClass {
  /** Conditions that are met. */
  readonly conditions: ReadonlySet<number>;
  readonly subject: number;
  /** Length of the largest block around the client with this identity and these conditions, for the same evidence. */
  readonly prefix: number;
}

const NONE: ReadonlySet<number> = new Set();

/** A subject is a whole number of at most 53 bits. */
const MAX_BITS = 53;

export function classify(snapshot: Snapshot, identity: Identity, shown: ClientEvidence, address: Address): ClientClass {
  const { sections, tables } = snapshot;
  const record = identity.tenant * TENANT_WORDS;
  const count = identity.tenant < 0 ? 0 : (sections.tenants[record + TENANT_CONDITION_COUNT] ?? 0);
  if (count === 0) {
    const whole = { conditions: NONE, number: 0, prefix: identity.prefix };
    return identity.tenant < 0 ? { ...identity, conditions: NONE } : byItself(snapshot, identity, address, whole);
  }
  const first = sections.tenants[record + TENANT_CONDITIONS] ?? 0;
  const examiner = new Examiner(snapshot, shown, address, identity.prefix);
  const conditions = new Set<number>();
  const bits: number[] = [];
  for (let index = 0; index < count; index++) {
    const condition = sections.lists[first + index] ?? 0;
    if (!examiner.meets(condition)) continue;
    conditions.add(condition);
    bits.push(index);
  }
  const number = numberOf(bits, count, tables.subjectStride);
  return byItself(snapshot, identity, address, { conditions, number, prefix: examiner.prefix });
}

/** Where decisions are made for single clients, each is a subject. */
function byItself(
  { tables }: Snapshot,
  { tenant, subject }: Identity,
  address: Address,
  known: { readonly conditions: ReadonlySet<number>; readonly number: number; readonly prefix: number },
): ClientClass {
  const { conditions, number, prefix } = known;
  const stride = tables.subjectStride;
  if (tables.decidedByClient[tenant] !== true) return { conditions, subject: subject + stride * number, prefix };
  const own = hashOf(`${number} ${address.words.join(" ")}`, MAX_BITS - Math.log2(stride));
  return { conditions, subject: subject + stride * own, prefix: bitsOf(address) };
}

function hashOf(text: string, bits: number): number {
  const hash = createHash("sha256").update(text).digest();
  return 1 + (hash.readUIntBE(0, 6) % (2 ** bits - 1));
}

/**
 * One number for each set of conditions: a bit for each, as far as there are bits. A tenant with more conditions than
 * that has 40 or so bits of a hash; its classes alone could collide, never two tenants.
 */
function numberOf(bits: readonly number[], count: number, stride: number): number {
  const available = MAX_BITS - Math.log2(stride);
  if (count <= available) return bits.reduce((sum, bit) => sum + 2 ** bit, 0);
  if (bits.length === 0) return 0;
  return hashOf(bits.join(" "), available);
}

class Examiner {
  readonly #snapshot: Snapshot;
  readonly #shown: ClientEvidence;
  readonly #address: Address;
  #patterns: ReadonlySet<number> | undefined;
  /** Of everything that was looked at so far. */
  prefix: number;

  constructor(snapshot: Snapshot, shown: ClientEvidence, address: Address, prefix: number) {
    this.#snapshot = snapshot;
    this.#shown = shown;
    this.#address = address;
    this.prefix = prefix;
  }

  meets(condition: number): boolean {
    const { conditions } = this.#snapshot.sections;
    const record = condition * CONDITION_WORDS;
    if (!this.#selects(record + CONDITION_SUBJECT)) return false;
    return conditions[record + CONDITION_HAS_EXCEPT] !== 1 || !this.#selects(record + CONDITION_EXCEPT);
  }

  #selects(selector: number): boolean {
    const { sections } = this.#snapshot;
    const { conditions, lists } = sections;
    if (conditions[selector + SELECTOR_BY_PRINCIPAL] === 1) {
      const start = conditions[selector + SELECTOR_PRINCIPALS] ?? 0;
      const count = conditions[selector + SELECTOR_PRINCIPAL_COUNT] ?? 0;
      const matched = this.#matchedPatterns();
      if (!lists.subarray(start, start + count).some((pattern) => matched.has(pattern))) return false;
    }
    const pods = conditions[selector + SELECTOR_PODS] ?? 0;
    if (pods !== 0 && !this.#hasPod(pods - 1)) return false;
    if (conditions[selector + SELECTOR_BY_ADDRESS] !== 1) return true;
    const found = findInBlocks(sections, this.#address, conditions, selector + SELECTOR_FIRST4);
    this.prefix = Math.max(this.prefix, found.prefix);
    return found.value !== 0;
  }

  /** Its neighbour may be any other pod, or none. */
  #hasPod(number: number): boolean {
    const { pod } = this.#shown;
    this.prefix = bitsOf(this.#address);
    const selector = this.#snapshot.tables.pods.selectors[number];
    return pod !== undefined && selector !== undefined && selectsPod(selector, pod);
  }

  #matchedPatterns(): ReadonlySet<number> {
    if (this.#patterns === undefined) {
      const { sections, tables } = this.#snapshot;
      const { principal } = this.#shown;
      this.#patterns =
        principal === undefined ? NONE : new Set(matchPrincipal(sections, tables.subjectRoot, principal));
    }
    return this.#patterns;
  }
}
