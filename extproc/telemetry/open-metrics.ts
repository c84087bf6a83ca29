/**
 * All metrics in the text format of OpenMetrics 1.0, which has exemplars. prom-client prints it for a registry of that format
 * alone, whose counters it gives other names: so each time, one is made of what the registry has.
 */
import { type Metric, type OpenMetricsContentType, Registry } from "prom-client";

export const OPEN_METRICS = "application/openmetrics-text";

export async function openMetricsOf(registry: Registry): Promise<{ readonly type: string; readonly text: string }> {
  const open = new Registry<OpenMetricsContentType>();
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const metric of await registry.getMetricsAsJSON()) {
    // Of a counter, the suffix is its sample's, and no part of its name.
    const name = String(metric.type) === "counter" ? metric.name.replace(/_total$/, "") : metric.name;
    open.registerMetric({ ...metric, name, get: async () => ({ ...metric, name }) } as unknown as Metric);
  }
  return { type: open.contentType, text: await open.metrics() };
}
