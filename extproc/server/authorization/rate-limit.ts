/**
 * envoy.service.ratelimit.v3.RateLimitService, for the same question: Envoy's rate limit filter asks when a connection comes,
 * ext_authz when its client has sent something, which in some protocols it does only when the server has spoken.
 */
import type {
  RateLimitRequest,
  RateLimitRequest__Output,
} from "../../gen/types/envoy/service/ratelimit/v3/RateLimitRequest.ts";
import type {
  RateLimitResponse,
  RateLimitResponse__Output,
} from "../../gen/types/envoy/service/ratelimit/v3/RateLimitResponse.ts";
import { hostOf } from "../../mesh/egress/destination.ts";
import { method } from "../../messages/protos.ts";
import type { GrpcService } from "../grpc-service.ts";
import type { Judgement } from "./authorizer.ts";
import { type Connection, readPlace } from "./connection.ts";
import { connectionQuestion, judgementMetadata, type QuestionDependencies } from "./connection-question.ts";

export const rateLimitService = {
  ShouldRateLimit: method<RateLimitRequest, RateLimitRequest__Output, RateLimitResponse, RateLimitResponse__Output>(
    "envoy.service.ratelimit.v3.RateLimitService",
    "ShouldRateLimit",
  ),
};

export function rateLimit(dependencies: QuestionDependencies): GrpcService {
  const words = { read: readDescriptor, answer: answerOf };
  return {
    definition: rateLimitService,
    implementation: {
      ShouldRateLimit: connectionQuestion<RateLimitRequest__Output, RateLimitResponse>(dependencies, words),
    },
  };
}

/** Entries as extproc/server/discovery/connection-check.ts and envoy/egress.ts have Envoy write them. */
function readDescriptor(
  { descriptors: [descriptor] }: RateLimitRequest__Output,
  tenant: string | undefined,
): Connection {
  const entries = new Map(descriptor?.entries.map(({ key, value }) => [key, value]));
  const client = readPlace("client", entries.get("client"));
  const address = readPlace("address", entries.get("address"));
  const port = Number(entries.get("port"));
  return { client, principal: undefined, tenant, address, port, host: hostOf(entries.get("chain") ?? "") };
}

const OK = 1;
const OVER_LIMIT = 2;

function answerOf(judgement: Judgement): RateLimitResponse {
  if (judgement.outcome === "refused") return { overall_code: OVER_LIMIT };
  const metadata = judgementMetadata(judgement);
  return { overall_code: OK, ...(metadata === undefined ? {} : { dynamic_metadata: metadata }) };
}
