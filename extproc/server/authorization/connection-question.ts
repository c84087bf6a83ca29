/**
 * A question of an Envoy about one connection, in the words of whichever service: who may ask, and what is said of a
 * connection that cannot be judged.
 */
import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { admits } from "../grpc-service.ts";
import type { Logger } from "../logger.ts";
import type { Token } from "../token.ts";
import type { Authorizer, Judgement } from "./authorizer.ts";
import { type Connection, MalformedCheck } from "./connection.ts";

export interface QuestionDependencies {
  readonly token: Token | undefined;
  readonly logger: Logger;
  readonly authorizer: Authorizer;
}

export interface QuestionWords<Request, Response> {
  /** `tenant` comes with the call, from Envoy's own configuration, never from the client. */
  readonly read: (request: Request, tenant: string | undefined) => Connection;
  readonly answer: (judgement: Judgement) => Response;
}

/** Handles a call of grpc-js. */
export function connectionQuestion<Request, Response>(
  { token, logger, authorizer }: QuestionDependencies,
  { read, answer }: QuestionWords<Request, Response>,
) {
  const judge = async (call: ServerUnaryCall<Request, Response>): Promise<Judgement> => {
    const [tenant] = call.metadata.get("x-dns-tenant");
    return authorizer.judge(read(call.request, tenant?.toString()));
  };
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    if (!admits(token, call.metadata)) {
      callback({ code: status.UNAUTHENTICATED, details: "expected the service's token" });
      return;
    }
    judge(call).then(
      (judgement) => callback(null, answer(judgement)),
      (error: unknown) => {
        const malformed = error instanceof MalformedCheck;
        if (!malformed) logger.error({ err: error }, "a connection could not be judged");
        const reason = malformed ? error.message : "the connection could not be judged";
        callback(null, answer({ outcome: "refused", tenant: "", reason }));
      },
    );
  };
}

/** For whoever logs the connection; undefined where it was not judged. */
export function judgementMetadata({ outcome, tenant, name = "" }: Judgement) {
  if (outcome === "unchecked") return undefined;
  return { fields: { tenant: { stringValue: tenant }, name: { stringValue: name } } };
}
