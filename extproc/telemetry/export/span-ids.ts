/**
 * Numbers of traces and spans: random ones, but for those that somebody has been told already.
 */
import { type IdGenerator, RandomIdGenerator } from "@opentelemetry/sdk-trace";

export class SpanIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  /** For the next trace or span that is begun; in hexadecimal digits. */
  nextTrace: string | undefined;
  nextSpan: string | undefined;

  readonly generateTraceId = (): string => {
    const id = this.nextTrace ?? this.#random.generateTraceId();
    this.nextTrace = undefined;
    return id;
  };

  readonly generateSpanId = (): string => {
    const id = this.nextSpan ?? this.#random.generateSpanId();
    this.nextSpan = undefined;
    return id;
  };
}
