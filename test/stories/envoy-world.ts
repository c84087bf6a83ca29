/**
 * A story's world on a real Envoy: the built filter in it, the policy service beside it, upstreams on loopback, and
 * time that passes by itself.
 */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { eventually, TimeoutError } from "../e2e/clients/deadline.ts";
import { DohClient, getDns, postDns, readDns } from "../e2e/clients/doh.ts";
import { Doh3Client } from "../e2e/clients/doh3.ts";
import { StreamClient } from "../e2e/clients/stream.ts";
import { askUdp } from "../e2e/clients/udp.ts";
import { type Answer, encodeQuestion, FLAGS } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import type { Oracle } from "../e2e/upstream.ts";
import type { Story } from "./story.ts";
import type { Question, StoryEvent, World } from "./world.ts";

const EVENT_PATIENCE_MS = 5000;
/** Silence of 3 s is "down". */
const NOTICED_MS = 3500;
/** Names that the harness itself asks. */
const OWN = /^ready\.test /;

/** A line of the query log. */
interface LoggedQuery {
  tenant: string;
  client?: string;
  qname: string;
  qtype: string;
  outcome?: string;
  mirror?: string;
  upstream?: string;
  rcode: string;
  rule?: string;
  ede?: number;
  cache?: string;
  principal?: string;
  flags?: string;
  rewritten?: string;
  audit?: { policy: string; rule: string; would: string }[];
}

export class EnvoyWorld implements World {
  readonly #stack: Stack;
  readonly #story: Story;
  #eventsRead = 0;

  static async open(story: Story): Promise<EnvoyWorld> {
    const { policy, upstreams } = story;
    const stack = await Stack.start({ policy, upstreams });
    return new EnvoyWorld(stack, story);
  }

  private constructor(stack: Stack, story: Story) {
    this.#stack = stack;
    this.#story = story;
  }

  async ask(question: Question, withinMs: number): Promise<{ answer: Answer; tookMs: number } | undefined> {
    const { name, type, dnssec = false, iterative = false } = question;
    const wire = encodeQuestion(name, { type, edns: 1232, dnssecOk: dnssec, flags: iterative ? 0 : FLAGS.RD });
    const started = performance.now();
    try {
      const answer = await this.#send(question, wire, withinMs);
      return { answer, tookMs: performance.now() - started };
    } catch (error) {
      if (error instanceof TimeoutError) return undefined;
      throw error;
    }
  }

  async pass(milliseconds: number): Promise<void> {
    await pause(milliseconds);
  }

  upstream(name: string): Oracle {
    return this.#stack.upstream(name);
  }

  async service(state: "killed" | "stopped" | "back"): Promise<void> {
    const { service } = this.#stack;
    if (state === "killed") await service.kill();
    else if (state === "stopped") service.program.signal("SIGSTOP");
    else if (service.program.running) service.program.signal("SIGCONT");
    else await service.restart();
    await pause(state === "back" ? 2000 : NOTICED_MS);
  }

  async apply(policy: string): Promise<void> {
    await this.#stack.apply(this.#stack.policy({ policy, upstreams: this.#story.upstreams }));
  }

  async takeEvents(atLeast: number): Promise<StoryEvent[]> {
    await eventually(EVENT_PATIENCE_MS, `${atLeast} events`, () => this.#events().length >= this.#eventsRead + atLeast);
    const events = this.#events().slice(this.#eventsRead);
    this.#eventsRead += events.length;
    return events;
  }

  close(): Promise<void> {
    return this.#stack.stop();
  }

  #events(): StoryEvent[] {
    const lines = readFileSync(this.#stack.service.queryLog, "utf8").split("\n").filter(Boolean);
    const events = lines.map((line) => readEvent(JSON.parse(line) as LoggedQuery));
    return events.filter(({ question }) => !OWN.test(question));
  }

  async #send(question: Question, wire: Buffer, timeoutMs: number): Promise<Answer> {
    const { from, over, path, principal } = question;
    const { target, certificates } = this.#stack;
    const at = (port: keyof typeof target.ports) => ({ host: target.host, port: target.ports[port] });
    if (over === "udp") return askUdp(at("udp"), wire, { from, timeoutMs });
    const identity = principal ? await certificates.client([principal]) : undefined;
    const servername = question.serverName ?? target.serverName;
    const tls = { ca: target.ca, servername, ...(identity ? { cert: identity.cert, key: identity.key } : {}) };
    if (over === "tcp" || over === "dot") {
      const client = await StreamClient.open(at(over), { from, ...(over === "dot" ? { tls } : {}) });
      return client.ask(wire, timeoutMs).finally(() => client.close());
    }
    const files = identity ? { certificate: { cert: identity.certFile, key: identity.keyFile } } : {};
    const client =
      over === "doh3"
        ? await Doh3Client.open(at("doh"), { serverName: servername, ca: target.caFile, from, ...files })
        : await DohClient.open(at("doh"), { from, tls, timeoutMs });
    try {
      return readDns(over === "doh-post" ? await postDns(client, wire, path) : await getDns(client, wire, path));
    } finally {
      await client.close();
    }
  }
}

function readEvent(event: LoggedQuery): StoryEvent {
  return {
    tenant: event.tenant,
    client: event.client ?? "",
    question: `${event.qname.toLowerCase().replace(/\.$/, "")} ${event.qtype}`,
    outcome: event.outcome?.toUpperCase() ?? "MIRRORED",
    mirror: event.mirror === undefined ? "" : `${event.upstream} ${event.mirror}`,
    rcode: event.rcode,
    rule: event.rule ?? "",
    ede: event.ede,
    cache: (event.cache ?? "none").toUpperCase(),
    principal: event.principal ?? "",
    flags: event.flags ?? "",
    rewritten: event.rewritten?.toLowerCase().replace(/\.$/, "") ?? "",
    audit: (event.audit ?? []).map(({ policy, rule, would }) => `${policy}/${rule} ${would}`).join(", "),
  };
}
