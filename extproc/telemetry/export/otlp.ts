/**
 * What is common to metrics and traces for OpenTelemetry: whether they are asked for, and who tells them. Both go out by the
 * official SDK, over OTLP/HTTP in protobuf, and are configured by the variables that every program with it knows
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/); the SDK reads most of them itself.
 */
import type { ExportResult } from "@opentelemetry/core";
import { detectResources, envDetector, type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import { PRODUCT, VERSION } from "../../product.ts";

/** What the SDK's exporters have in common. */
interface Exporter<T> {
  export(items: T, done: (result: ExportResult) => void): void;
}

/** OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before what we say. */
export function otlpResource(): Resource {
  const own = resourceFromAttributes({ "service.name": PRODUCT, "service.version": VERSION });
  return own.merge(detectResources({ detectors: [envDetector] }));
}

/** The SDK tells nobody of what it cannot deliver. Calls `heard` for each batch, before the SDK hears of it. */
export function overhear<T, E extends Exporter<T>>(
  exporter: E,
  heard: (items: T, error: Error | undefined) => void,
): E {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (result) => {
      heard(items, result.code === 0 ? undefined : (result.error ?? new Error("it was refused")));
      done(result);
    });
  return exporter;
}
