/**
 * Which signals the environment asks for, in the words of OpenTelemetry's specification.
 */
import { CommandError, ExitCode } from "./exit-code.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface OtlpSignals {
  readonly metrics: boolean;
  readonly traces: boolean;
}

const PROTOCOL = "http/protobuf";
const MIN_INTERVAL_MS = 100;

export function readOtlpSignals(environment: Environment): OtlpSignals {
  return { metrics: isAskedFor(environment, "METRICS"), traces: isAskedFor(environment, "TRACES") };
}

/** OTEL_METRIC_EXPORT_INTERVAL, which the SDK does not read. */
export function readExportInterval({ OTEL_METRIC_EXPORT_INTERVAL: text }: Environment): number {
  if (text === undefined || text === "") return 60_000;
  const interval = Number(text);
  if (Number.isInteger(interval) && interval >= MIN_INTERVAL_MS && interval <= 86_400_000) return interval;
  throw usage(`expected OTEL_METRIC_EXPORT_INTERVAL of ${MIN_INTERVAL_MS} to 86400000 milliseconds, got ${text}`);
}

function isAskedFor(environment: Environment, signal: "METRICS" | "TRACES"): boolean {
  const first = (...names: string[]) => names.map((name) => environment[name]).find((value) => (value ?? "") !== "");
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === "true") return false;
  if (first(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`, "OTEL_EXPORTER_OTLP_ENDPOINT") === undefined) return false;
  const exporter = first(`OTEL_${signal}_EXPORTER`) ?? "otlp";
  if (exporter === "none") return false;
  if (exporter !== "otlp") throw usage(`expected OTEL_${signal}_EXPORTER to be otlp or none, got ${exporter}`);
  const protocol = first(`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`, "OTEL_EXPORTER_OTLP_PROTOCOL") ?? PROTOCOL;
  if (protocol !== PROTOCOL) throw usage(`expected OTEL_EXPORTER_OTLP_PROTOCOL to be ${PROTOCOL}, got ${protocol}`);
  return true;
}

function usage(message: string): CommandError {
  return new CommandError(ExitCode.USAGE, message);
}
