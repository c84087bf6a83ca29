/**
 * What every gRPC service of ours is made of.
 */
import type { Metadata, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Token } from "./token.ts";

export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** Whether a call may be made: where there is a token, by `authorization: Bearer TOKEN`. */
export function admits(token: Token | undefined, metadata: Metadata): boolean {
  return token === undefined || token.admits(metadata.get("authorization")[0]);
}
