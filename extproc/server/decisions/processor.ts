/**
 * One decision: the messages of one ext_proc stream in, at most one answer out.
 */

import type { Verdict } from "../../compiled/messages.ts";
import type { Snapshot } from "../../compiled/snapshot.ts";
import { MalformedRequest } from "../../decide/request.ts";
import type { ProcessingRequest__Output } from "../../gen/types/envoy/service/ext_proc/v3/ProcessingRequest.ts";
import type { ProcessingResponse } from "../../gen/types/envoy/service/ext_proc/v3/ProcessingResponse.ts";
import type { Clock } from "../clock.ts";
import type { DecideAsking } from "../decision-points/decision-points.ts";
import { readDecisionRequest } from "./read-request.ts";
import { answerFailure, answerVerdict, type JudgedVerdict } from "./responses.ts";

export type DecisionOutcome =
  | "forward"
  | "deny"
  | "fault"
  | "answer"
  | "rewrite"
  | "malformed"
  | "failed"
  | "no_policy";

export interface Answered {
  readonly response: ProcessingResponse;
  readonly outcome: DecisionOutcome;
  /** What went wrong in us, to be logged. */
  readonly error?: unknown;
}

export interface ProcessorDependencies {
  /** Of this service: fixed64, decimal. */
  readonly identity: string;
  /** The policy in force; undefined while there is none. */
  readonly policy: () => Snapshot | undefined;
  readonly decide: DecideAsking;
  readonly clock: Clock;
}

export class Processor {
  readonly #dependencies: ProcessorDependencies;

  constructor(dependencies: ProcessorDependencies) {
    this.#dependencies = dependencies;
  }

  /** Never throws: what is no verdict is told as a failure. */
  process(message: ProcessingRequest__Output): Answered | Promise<Answered> {
    try {
      const headers = message.request_headers?.headers?.headers;
      if (headers === undefined) throw new MalformedRequest("expected request headers, got another message");
      const request = readDecisionRequest(headers, this.#dependencies.clock.now());
      const { identity: service, decide } = this.#dependencies;
      const snapshot = this.#dependencies.policy();
      if (snapshot === undefined) {
        return { response: answerFailure(503, "there is no policy yet"), outcome: "no_policy" };
      }
      const { lists } = snapshot.revision;
      const verdict = decide(snapshot, request);
      const answer = (verdict: Verdict) => answered({ ...verdict, service, lists });
      return verdict instanceof Promise ? verdict.then(answer, fail) : answer(verdict);
    } catch (error) {
      return fail(error);
    }
  }
}

function answered(verdict: JudgedVerdict): Answered {
  return { response: answerVerdict(verdict), outcome: outcomeOf(verdict) };
}

function fail(error: unknown): Answered {
  if (error instanceof MalformedRequest) return { response: answerFailure(400, error.message), outcome: "malformed" };
  return { response: answerFailure(500, "the decision failed"), outcome: "failed", error };
}

function outcomeOf(verdict: Verdict): DecisionOutcome {
  if ("forward" in verdict) return "forward";
  if ("deny" in verdict) return "deny";
  if ("fault" in verdict) return "fault";
  return "answer" in verdict ? "answer" : "rewrite";
}
