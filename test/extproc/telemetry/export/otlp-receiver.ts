/**
 * Somebody who takes OTLP/HTTP in protobuf, and nothing that the protocol does not have
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import protobuf from "protobufjs";

/** Of opentelemetry/proto, what is told here, with its field numbers. */
const PROTO = `syntax = "proto3";
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; }
message Scope { string name = 1; string version = 2; }
message Traces { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Status { string message = 2; uint32 code = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; uint32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15;
}
message Metrics { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
message Metric { string name = 1; string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; }
message Gauge { repeated NumberPoint data_points = 1; }
message Sum { repeated NumberPoint data_points = 1; uint32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramPoint data_points = 1; uint32 aggregation_temporality = 2; }
message NumberPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; double as_double = 4; sfixed64 as_int = 6; repeated KeyValue attributes = 7; }
message HistogramPoint {
  fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5;
  repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated KeyValue attributes = 9;
}`;

const { root } = protobuf.parse(PROTO, { keepCase: true });

type Value = { string_value?: string; int_value?: number; double_value?: number; array_value?: { values: Value[] } };
type Attributes = readonly { readonly key: string; readonly value: Value }[];

export interface ReceivedSpan {
  readonly trace: string;
  readonly id: string;
  readonly parent: string;
  readonly name: string;
  readonly kind: number;
  /** Microseconds. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Record<string, unknown>;
  readonly failed: boolean;
}

export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: {
    readonly data_points: readonly Point[];
    readonly aggregation_temporality: number;
    is_monotonic: boolean;
  };
  readonly gauge?: { readonly data_points: readonly Point[] };
  readonly histogram?: { readonly data_points: readonly Point[] };
}

interface Point {
  readonly attributes: Attributes;
  readonly as_double?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly bucket_counts?: readonly number[];
  readonly explicit_bounds?: readonly number[];
}

export function valuesOf(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));
}

function plain(value: Value): unknown {
  if (value.array_value !== undefined) return value.array_value.values.map(plain);
  return value.string_value ?? value.int_value ?? value.double_value;
}

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Of the last push. */
  metrics: ReceivedMetric[] = [];
  resource: Record<string, unknown> = {};
  pushes = 0;
  /** What it answers, instead of taking anything. */
  refuses: number | undefined;
  refused = 0;
  /** What was not as it has to be. */
  readonly complaints: string[] = [];
  readonly #server: Server;

  static async start(port = 0): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(port, "127.0.0.1", resolve));
    return receiver;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const status = this.#take(request, Buffer.concat(chunks));
        response.writeHead(status, { "content-type": "application/x-protobuf" }).end();
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take({ method, url, headers }: IncomingMessage, body: Buffer): number {
    if (this.refuses !== undefined) {
      this.refused++;
      return this.refuses;
    }
    try {
      if (method !== "POST") throw new Error(`expected POST, got ${method}`);
      const type = headers["content-type"];
      if (type !== "application/x-protobuf") throw new Error(`expected application/x-protobuf, got ${type}`);
      const octets = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      if (url === "/v1/traces") this.#takeTraces(octets);
      else if (url === "/v1/metrics") this.#takeMetrics(octets);
      else throw new Error(`expected a signal's path, got ${url}`);
      return 200;
    } catch (error) {
      this.complaints.push((error as Error).message);
      return 400;
    }
  }

  #takeTraces(octets: Buffer): void {
    // biome-ignore lint/suspicious/noExplicitAny: as the proto above has it.
    const { resource_spans } = decode("Traces", octets) as any;
    for (const { resource, scope_spans } of resource_spans) {
      this.resource = valuesOf(resource.attributes);
      for (const { spans } of scope_spans) {
        for (const span of spans) {
          const id = (octets64: string) => Buffer.from(octets64 ?? "", "base64").toString("hex");
          if (id(span.trace_id).length !== 32 || id(span.span_id).length !== 16)
            throw new Error("expected ids of a span");
          this.spans.push({
            trace: id(span.trace_id),
            id: id(span.span_id),
            parent: id(span.parent_span_id),
            name: span.name,
            kind: span.kind,
            start: Number(BigInt(span.start_time_unix_nano) / 1000n),
            end: Number(BigInt(span.end_time_unix_nano) / 1000n),
            attributes: valuesOf(span.attributes ?? []),
            failed: span.status?.code === 2,
          });
        }
      }
    }
  }

  #takeMetrics(octets: Buffer): void {
    // biome-ignore lint/suspicious/noExplicitAny: as the proto above has it.
    const { resource_metrics } = decode("Metrics", octets) as any;
    const metrics: ReceivedMetric[] = [];
    for (const { resource, scope_metrics } of resource_metrics) {
      this.resource = valuesOf(resource.attributes);
      for (const scope of scope_metrics) metrics.push(...(scope.metrics as ReceivedMetric[]));
    }
    const names = metrics.map(({ name }) => name);
    if (new Set(names).size !== names.length) throw new Error(`expected each metric once, got ${names}`);
    this.metrics = metrics;
    this.pushes++;
  }
}

function decode(type: string, octets: Buffer): object {
  const found = root.lookupType(type);
  return found.toObject(found.decode(octets), { longs: String, bytes: String, arrays: true }) as object;
}
