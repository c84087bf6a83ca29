/**
 * The decision: what becomes of one question of one client, and how far that holds.
 */
import type { Verdict } from "../compiled/messages.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import { type DecisionRequest, MalformedRequest } from "./request.ts";

export { type DecisionRequest, MalformedRequest };

/** Pure: the same snapshot and request give the same verdict. Throws MalformedRequest. */
export function decide(_snapshot: Snapshot, _request: DecisionRequest): Verdict {
  throw new MalformedRequest("no policy is compiled yet");
}
