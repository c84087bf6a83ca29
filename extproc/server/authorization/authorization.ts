/**
 * envoy.service.auth.v3.Authorization: an Envoy asks of each connection whose client has sent something, before it opens one
 * to where the client wants.
 */
import { status } from "@grpc/grpc-js";
import type { CheckRequest, CheckRequest__Output } from "../../gen/types/envoy/service/auth/v3/CheckRequest.ts";
import type { CheckResponse, CheckResponse__Output } from "../../gen/types/envoy/service/auth/v3/CheckResponse.ts";
import { method } from "../../messages/protos.ts";
import type { GrpcService } from "../grpc-service.ts";
import type { Judgement } from "./authorizer.ts";
import { readConnection } from "./connection.ts";
import { connectionQuestion, judgementMetadata, type QuestionDependencies } from "./connection-question.ts";

export const authorizationService = {
  Check: method<CheckRequest, CheckRequest__Output, CheckResponse, CheckResponse__Output>(
    "envoy.service.auth.v3.Authorization",
    "Check",
  ),
};

export function authorization(dependencies: QuestionDependencies): GrpcService {
  const words = { read: readConnection, answer: answerOf };
  return {
    definition: authorizationService,
    implementation: { Check: connectionQuestion<CheckRequest__Output, CheckResponse>(dependencies, words) },
  };
}

function answerOf(judgement: Judgement): CheckResponse {
  const { outcome, reason = "" } = judgement;
  if (outcome === "refused") return { status: { code: status.PERMISSION_DENIED, message: reason } };
  const metadata = judgementMetadata(judgement);
  return { status: { code: status.OK }, ...(metadata === undefined ? {} : { dynamic_metadata: metadata }) };
}
