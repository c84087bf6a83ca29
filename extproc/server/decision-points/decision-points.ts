/**
 * Decisions that are left to others: the decision is made as far as it goes, whoever has to be asked is asked, and it is made
 * anew with what was said, until nothing is missing. Nobody waits meanwhile but the query itself. What was said is kept for as
 * long, and for as many questions, as whoever said it wants.
 */
import type { Decider, PointQuestion, Said } from "../../compiled/decision-point.ts";
import type { Verdict } from "../../compiled/messages.ts";
import type { Snapshot } from "../../compiled/snapshot.ts";
import { saidByNobody } from "../../decide/consultation.ts";
import type { DecisionRequest } from "../../decide/request.ts";
import type { SaidOfRule } from "../../explain/rules.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import { SaidCache } from "./said-cache.ts";

export type Decide = (snapshot: Snapshot, request: DecisionRequest) => Verdict;

/** `onSaid` hears what each rule was told. */
export type DecideAsking = (
  snapshot: Snapshot,
  request: DecisionRequest,
  onSaid?: (rule: string, said: SaidOfRule) => void,
) => Verdict | Promise<Verdict>;

/** Rejects where nothing that can be understood was said in time. */
export type AskPoint = (decider: Decider, question: PointQuestion, timeoutMs: number) => Promise<Omit<Said, "failed">>;

export interface DecisionPointsOptions {
  readonly decide: Decide;
  readonly ask: AskPoint;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onAnswer: (point: string, answer: "accept" | "deny" | "pass" | "failed", seconds: number) => void;
}

/** Of the 200 ms that a worker waits, for all who are asked one after the other. */
const DECISION_MS = 150;
/** Questions at a time; those beyond are taken for failed. */
const MAX_ASKING = 512;

class Unsaid extends Error {
  readonly decider: Decider;
  readonly question: PointQuestion;

  constructor(decider: Decider, question: PointQuestion) {
    super("a decision point has to be asked");
    this.decider = decider;
    this.question = question;
  }
}

export class DecisionPoints {
  readonly #options: DecisionPointsOptions;
  readonly #cache = new SaidCache();
  /** The same question at the same time is one. */
  readonly #asking = new Map<string, Promise<Said>>();
  readonly #inTrouble = new Set<string>();

  constructor(options: DecisionPointsOptions) {
    this.#options = options;
  }

  readonly decide: DecideAsking = (snapshot, request, onSaid) => {
    const { decide, clock } = this.#options;
    if (snapshot.tables.deciders.length === 0) return decide(snapshot, request);
    const deadline = clock.elapsed() + DECISION_MS;
    // What was said just now counts, also if it holds for no longer.
    const said = new Map<string, Said>();
    const attempt = (): Verdict | Promise<Verdict> => {
      try {
        return decide(snapshot, {
          ...request,
          consult: (decider, question, { policy, rule }) => {
            const known = said.get(keyOf(decider, question)) ?? this.#cache.find(decider, question, clock.now());
            if (known === undefined) throw new Unsaid(decider, question);
            onSaid?.(`${policy}/${rule}`, { ...known, point: decider.point });
            return known;
          },
        });
      } catch (error) {
        if (!(error instanceof Unsaid)) throw error;
        const { decider, question } = error;
        return this.#ask(decider, question, deadline).then((answer) => {
          said.set(keyOf(decider, question), answer);
          return attempt();
        });
      }
    };
    return attempt();
  };

  #ask(decider: Decider, question: PointQuestion, deadline: number): Promise<Said> {
    const key = keyOf(decider, question);
    const asking = this.#asking.get(key) ?? this.#askNow(decider, question, deadline);
    this.#asking.set(key, asking);
    void asking.then(() => this.#asking.delete(key));
    return asking;
  }

  async #askNow(decider: Decider, question: PointQuestion, deadline: number): Promise<Said> {
    const { ask, clock, logger, onAnswer } = this.#options;
    const start = clock.elapsed();
    let said: Said;
    try {
      if (this.#asking.size >= MAX_ASKING)
        throw new Error(`expected at most ${MAX_ASKING} questions at a time, got more`);
      const left = deadline - start;
      if (left < 1) throw new Error("others that were asked before it have taken all the time");
      said = await ask(decider, question, Math.min(decider.timeoutMs, left));
      this.#inTrouble.delete(decider.point);
    } catch (error) {
      said = saidByNobody(decider, clock.now());
      if (!this.#inTrouble.has(decider.point)) {
        logger.warn({ err: error, point: decider.point }, `a decision point says nothing: ${decider.onError}`);
      }
      this.#inTrouble.add(decider.point);
    }
    const answer = said.failed ? "failed" : ANSWERS[said.action];
    onAnswer(decider.point, answer, (clock.elapsed() - start) / 1000);
    this.#cache.add(decider, question, said);
    return said;
  }
}

const ANSWERS = { Accept: "accept", Deny: "deny", Pass: "pass" } as const;

function keyOf({ url, ttlMs, onError }: Decider, { tenant, name, qtype, transport, client }: PointQuestion): string {
  return JSON.stringify([
    url,
    ttlMs,
    onError,
    tenant,
    name,
    qtype,
    transport,
    client && Buffer.from(client).toString("hex"),
  ]);
}
