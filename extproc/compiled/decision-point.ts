/**
 * Decisions that a rule leaves to somebody else: what is asked, and what was said.
 */
import type { Transport } from "./messages.ts";

/** Who decides for a rule, and how. */
export interface Decider {
  /** Of Settings. */
  readonly point: string;
  readonly url: string;
  readonly timeoutMs: number;
  /** For how long what is said holds, at most. */
  readonly ttlMs: number;
  /** What is taken for said where nothing is. */
  readonly onError: "Deny" | "Pass";
  /** Whether it is told who asks. */
  readonly byClient: boolean;
}

/** What a decision point is asked: a decision holds for what is here, and for no more, if it does not say otherwise. */
export interface PointQuestion {
  readonly tenant: string;
  /** In presentation format and lower case, without its final dot. */
  readonly name: string;
  readonly qtype: number;
  readonly transport: Transport;
  /** 4 or 16 octets; undefined where it is not told. */
  readonly client: Uint8Array | undefined;
}

/** What it has said. */
export interface Said {
  readonly action: "Accept" | "Deny" | "Pass";
  /** For people; empty for none. */
  readonly reason: string;
  /** The name is as good as any other at or below the domain of so many trailing labels; undefined: it holds for it alone. */
  readonly labels?: number | undefined;
  readonly anyType?: boolean;
  readonly anyTransport?: boolean;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** It has not said so: it could not be asked. */
  readonly failed?: boolean;
}

/** For a rule, asks its decision point; undefined where there is nobody to ask. */
export type Consult = (
  decider: Decider,
  question: PointQuestion,
  rule: { readonly policy: string; readonly rule: string },
) => Said | undefined;
