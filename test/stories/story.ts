/**
 * A story: a policy, questions, what the upstream says, time passing, and what must come of it; in YAML, in words
 * that a DNS operator reads. The same story is played on the fake host and on a real Envoy.
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

/** `300ms`, `2s`, `10m`: milliseconds. */
const duration = z.string().transform((text, context) => {
  const match = /^(\d+)(ms|s|m)$/.exec(text);
  if (!match) {
    context.addIssue({ code: "custom", message: `expected a duration like 300ms, 2s or 10m, got "${text}"` });
    return z.NEVER;
  }
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as "ms" | "s" | "m"];
});

export const TRANSPORTS = ["udp", "tcp", "dot", "doh-get", "doh-post", "doh3"] as const;
export type StoryTransport = (typeof TRANSPORTS)[number];

/** INFO-CODEs of RFC 8914 by their names. */
export const EDE: Record<string, number> = {
  Other: 0,
  "Stale Answer": 3,
  "Forged Answer": 4,
  "Not Ready": 14,
  Blocked: 15,
  Censored: 16,
  Filtered: 17,
  Prohibited: 18,
  "Not Supported": 21,
  "No Reachable Authority": 22,
  "Network Error": 23,
};

const ede = z.union([z.int(), z.enum(Object.keys(EDE) as [string, ...string[]])]);

const answer = z.union([
  z.literal("none"),
  z.strictObject({
    rcode: z.string(),
    /** `name TTL type data`, in any order, TTLs as they are told. */
    records: z.array(z.string()).optional(),
    /** Owner and TTL of the SOA in the authority section. */
    soa: z.string().optional(),
    /** Exactly this EDE; `false` for none. */
    ede: z.union([ede, z.literal(false)]).optional(),
    /** Its EXTRA-TEXT. */
    text: z.string().optional(),
    /** Flags that are set, of TC, AA, AD, RA, RD, CD. */
    flags: z.array(z.string()).optional(),
    /** Latest time at which it comes, and earliest. */
    within: duration.optional(),
    after: duration.optional(),
  }),
]);

const ask = z.strictObject({
  /** Name and type, `www.example.org A`. */
  ask: z.string(),
  from: z.string(),
  over: z.enum(TRANSPORTS).default("udp"),
  /** URI SAN of the client's certificate. */
  principal: z.string().optional(),
  serverName: z.string().optional(),
  path: z.string().optional(),
  dnssec: z.boolean().default(false),
  /** Without RD. */
  iterative: z.boolean().default(false),
  answer,
});

const event = z.strictObject({
  tenant: z.string(),
  client: z.string().optional(),
  question: z.string(),
  outcome: z.enum(["FORWARDED", "DENIED", "REJECTED", "FAILED", "FAULTED", "ANSWERED", "LIMITED", "MIRRORED"]),
  rcode: z.string().optional(),
  rule: z.string().optional(),
  ede: ede.optional(),
  cache: z.enum(["NONE", "HIT", "MISS", "STALE", "PREFETCH", "MESH"]).optional(),
  /** Of the client's certificate; empty without one. */
  principal: z.string().optional(),
  /** As dig names them; empty for none. */
  flags: z.string().optional(),
  /** Rules in mode Audit that were met, `policy/rule action`, one after the other; empty for none. */
  audit: z.string().optional(),
  /** The name that was answered instead; empty for none. */
  rewritten: z.string().optional(),
  /** Of MIRRORED: the second upstream, and whether it said the same, as `candidate different`. */
  mirror: z.string().optional(),
});

const step = z.union([
  ask,
  z.strictObject({ pass: duration }),
  z.strictObject({ upstream: z.string(), does: z.string().optional(), zone: z.string().optional() }),
  /** Questions that reached an upstream since the last such step, each `name type`. */
  z.strictObject({ asked: z.string(), questions: z.array(z.string()) }),
  z.strictObject({ service: z.enum(["killed", "stopped", "back"]) }),
  z.strictObject({ apply: z.string() }),
  /** Events since the last such step, in any order. */
  z.strictObject({ events: z.array(event) }),
]);

const story = z.strictObject({
  story: z.string(),
  why: z.string().optional(),
  /** Resources but for Upstreams, which are made of `upstreams`. */
  policy: z.string(),
  upstreams: z.record(
    z.string(),
    z.strictObject({ protocol: z.enum(["DoT", "TCP", "DoH"]).default("DoT"), zone: z.string().default("") }),
  ),
  steps: z.array(step).min(1),
});

export type Story = z.output<typeof story>;
export type Step = Story["steps"][number];
export type Ask = z.output<typeof ask>;
export type ExpectedAnswer = z.output<typeof answer>;
export type ExpectedEvent = z.output<typeof event>;

export function readStory(file: string): Story {
  const result = story.safeParse(parse(readFileSync(file, "utf8")));
  if (!result.success) throw new Error(`${file}: ${z.prettifyError(result.error)}`);
  return result.data;
}

export function edeCode(value: z.output<typeof ede>): number {
  return typeof value === "number" ? value : (EDE[value] ?? -1);
}

/** More of it than a real Envoy is made to wait for. */
export const LONGEST_REAL_PASS_MS = 2000;

/** Whether the story can be played on a real Envoy. */
export function playsOnEnvoy(told: Story): boolean {
  return told.steps.every((each) => !("pass" in each) || each.pass <= LONGEST_REAL_PASS_MS);
}
