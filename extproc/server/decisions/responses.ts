/**
 * The one message that answers a decision request: Envoy ends the HTTP exchange with it.
 */

import type { Verdict } from "../../compiled/messages.ts";
import { _envoy_config_core_v3_HeaderValueOption_HeaderAppendAction as HeaderAppendAction } from "../../gen/types/envoy/config/core/v3/HeaderValueOption.ts";
import type { ProcessingResponse } from "../../gen/types/envoy/service/ext_proc/v3/ProcessingResponse.ts";
import { messageType } from "../../messages/protos.ts";

/** With who has judged, and by which lists. */
export type JudgedVerdict = Verdict & { readonly service: string; readonly lists: string };

const verdictType = messageType<JudgedVerdict, unknown>("dns.mesh.v1.Verdict");

const OVERWRITE_IF_EXISTS_OR_ADD = HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD;

export function answerVerdict(verdict: JudgedVerdict): ProcessingResponse {
  return {
    immediate_response: { status: { code: 200 }, headers: verdictHeaders, body: verdictType.encode(verdict) },
  };
}

/** No verdict: to the filter any other status is a failure, whatever it says. */
export function answerFailure(code: 400 | 500 | 503, message: string): ProcessingResponse {
  return { immediate_response: { status: { code }, headers: textHeaders, body: Buffer.from(message) } };
}

const verdictHeaders = contentType("application/x-protobuf");
const textHeaders = contentType("text/plain");

function contentType(value: string) {
  const header = { key: "content-type", raw_value: Buffer.from(value) };
  return { set_headers: [{ header, append_action: OVERWRITE_IF_EXISTS_OR_ADD }] };
}
