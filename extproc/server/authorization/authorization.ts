/**
 * envoy.service.auth.v3.Authorization: an Envoy asks of each connection before it opens one to where the client wants.
 */
import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { CheckRequest, CheckRequest__Output } from "../../gen/types/envoy/service/auth/v3/CheckRequest.ts";
import type { CheckResponse, CheckResponse__Output } from "../../gen/types/envoy/service/auth/v3/CheckResponse.ts";
import { method } from "../../messages/protos.ts";
import { admits, type GrpcService } from "../grpc-service.ts";
import type { Logger } from "../logger.ts";
import type { Token } from "../token.ts";
import { Authorizer, type AuthorizerDependencies, type Judgement } from "./authorizer.ts";
import { type Connection, MalformedCheck, readConnection } from "./connection.ts";

export const authorizationService = {
  Check: method<CheckRequest, CheckRequest__Output, CheckResponse, CheckResponse__Output>(
    "envoy.service.auth.v3.Authorization",
    "Check",
  ),
};

export interface AuthorizationDependencies extends AuthorizerDependencies {
  readonly token: Token | undefined;
  readonly logger: Logger;
  readonly onJudged: (connection: Connection, judgement: Judgement, seconds: number) => void;
}

type Call = ServerUnaryCall<CheckRequest__Output, CheckResponse>;

export function authorization(dependencies: AuthorizationDependencies): GrpcService {
  const { token, clock, logger, onJudged } = dependencies;
  const authorizer = new Authorizer(dependencies);
  const judge = async (call: Call): Promise<CheckResponse> => {
    const start = clock.elapsed();
    const [tenant] = call.metadata.get("x-dns-tenant");
    const connection = readConnection(call.request, tenant?.toString());
    const judgement = await authorizer.judge(connection);
    onJudged(connection, judgement, (clock.elapsed() - start) / 1000);
    return answerOf(judgement);
  };
  const check = (call: Call, callback: sendUnaryData<CheckResponse>): void => {
    if (!admits(token, call.metadata)) {
      callback({ code: status.UNAUTHENTICATED, details: "expected the service's token" });
      return;
    }
    judge(call).then(
      (response) => callback(null, response),
      (error: unknown) => {
        const malformed = error instanceof MalformedCheck;
        if (!malformed) logger.error({ err: error }, "a connection could not be judged");
        callback(null, refusal(malformed ? error.message : "the connection could not be judged"));
      },
    );
  };
  return { definition: authorizationService, implementation: { Check: check } };
}

/** The metadata is for whoever logs the connection, under `envoy.filters.network.ext_authz`. */
function answerOf({ outcome, tenant, name = "", reason = "" }: Judgement): CheckResponse {
  if (outcome === "refused") return refusal(reason);
  if (outcome === "unchecked") return { status: { code: status.OK } };
  const fields = { tenant: { stringValue: tenant }, name: { stringValue: name } };
  return { status: { code: status.OK }, dynamic_metadata: { fields } };
}

function refusal(message: string): CheckResponse {
  return { status: { code: status.PERMISSION_DENIED, message } };
}
