/**
 * Where a story is played: the fake host, or a real Envoy.
 */
import type { Answer } from "../e2e/dns.ts";
import type { Oracle } from "../e2e/upstream.ts";
import type { StoryTransport } from "./story.ts";

export interface Question {
  name: string;
  type: string;
  from: string;
  over: StoryTransport;
  principal?: string | undefined;
  serverName?: string | undefined;
  path?: string | undefined;
  dnssec?: boolean;
  iterative?: boolean;
}

/** A QueryEvent in words. */
export interface StoryEvent {
  tenant: string;
  client: string;
  /** `name type`, in lower case and without the last dot. */
  question: string;
  outcome: string;
  rcode: string;
  rule: string;
  /** INFO-CODE; undefined without one. */
  ede: number | undefined;
  cache: string;
  principal: string;
  flags: string;
  /** Rules in mode Audit that were met, each `policy/rule action`. */
  audit: string;
  /** The name that was answered instead; empty for none. */
  rewritten: string;
  /** Of an event of outcome MIRRORED: the second upstream, and what came of it, `same`, `different` or `failed`; else empty. */
  mirror: string;
}

export interface World {
  /** Undefined when no answer came in time. */
  ask(question: Question, withinMs: number): Promise<{ answer: Answer; tookMs: number } | undefined>;
  pass(milliseconds: number): Promise<void>;
  upstream(name: string): Oracle;
  service(state: "killed" | "stopped" | "back"): Promise<void>;
  /** Makes the policy the whole set; resolved when every worker has it. */
  apply(policy: string): Promise<void>;
  /** Events since the last call, at least so many. */
  takeEvents(atLeast: number): Promise<StoryEvent[]>;
  close(): Promise<void>;
}

/** How much later than told things may be, and TTLs lower: real time passes while a real Envoy is asked. */
export interface Slack {
  ttlSeconds: number;
  latenessMs: number;
}

/** The resource of an upstream server on loopback. */
export function upstreamResource(name: string, protocol: "DoT" | "TCP" | "DoH", port: number, ca: string): string {
  const tls = protocol === "TCP" ? "" : ", serverName: dns.upstream.example";
  const authority = ca === "" || protocol === "TCP" ? "" : `\n  tls:\n    ca: |\n${indent(ca, 6)}`;
  return `apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: {name: ${name}}
spec:
  protocol: ${protocol}
  servers: [{address: 127.0.0.1, port: ${port}${tls}}]${authority}
`;
}

function indent(text: string, columns: number): string {
  return text.trimEnd().replace(/^/gm, " ".repeat(columns));
}

/** Documents as one text. */
export function joinDocuments(...documents: string[]): string {
  return documents.map((document) => document.trim()).join("\n---\n");
}
