/**
 * envoy.service.ext_proc.v3.ExternalProcessor: a stream for each decision, a Processor for each stream.
 */
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type {
  ProcessingRequest,
  ProcessingRequest__Output,
} from "../../gen/types/envoy/service/ext_proc/v3/ProcessingRequest.ts";
import type {
  ProcessingResponse,
  ProcessingResponse__Output,
} from "../../gen/types/envoy/service/ext_proc/v3/ProcessingResponse.ts";
import { method } from "../../messages/protos.ts";
import { admits, type GrpcService } from "../grpc-service.ts";
import type { Logger } from "../logger.ts";
import type { Token } from "../token.ts";
import { type Answered, type DecisionOutcome, Processor, type ProcessorDependencies } from "./processor.ts";

export const extProcService = {
  Process: method<ProcessingRequest, ProcessingRequest__Output, ProcessingResponse, ProcessingResponse__Output>(
    "envoy.service.ext_proc.v3.ExternalProcessor",
    "Process",
  ),
};

export interface ExtProcDependencies extends ProcessorDependencies {
  readonly token: Token | undefined;
  readonly logger: Logger;
  readonly onDecision: (outcome: DecisionOutcome, seconds: number) => void;
}

type Call = ServerDuplexStream<ProcessingRequest__Output, ProcessingResponse>;

export function extProc(dependencies: ExtProcDependencies): GrpcService {
  const { token, clock, logger, onDecision } = dependencies;
  const process = (call: Call): void => {
    if (!admits(token, call.metadata)) {
      call.emit("error", { code: status.UNAUTHENTICATED, details: "expected the service's token" });
      return;
    }
    const processor = new Processor(dependencies);
    let asked = false;
    call.on("data", (message: ProcessingRequest__Output) => {
      if (asked) return;
      asked = true;
      const start = clock.elapsed();
      const answer = ({ response, outcome, error }: Answered) => {
        call.write(response);
        onDecision(outcome, (clock.elapsed() - start) / 1000);
        if (error !== undefined) logger.error({ err: error }, "a decision failed");
      };
      const answered = processor.process(message);
      // Who has nobody to ask is answered at once.
      if (answered instanceof Promise) void answered.then(answer);
      else answer(answered);
    });
    // Envoy ends the stream when it has its answer. If we did, it would reset it, and Node's HTTP/2 closes a
    // connection on which more than some 33 streams a second are reset (CVE-2023-44487), with all decisions on it.
    call.on("end", () => call.end());
    // Envoy resets streams whose answer came too late: nothing is left to do for them.
    call.on("error", () => {});
  };
  return { definition: extProcService, implementation: { Process: process } };
}
