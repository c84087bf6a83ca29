/**
 * A resource as Kubernetes would show it: what was written, with metadata.generation and status.
 */
import { parseDocument } from "yaml";
import type { ObservedResource } from "../server/resource-status.ts";
import { formatTable } from "./output.ts";

/** With the comments of its author. `apply` takes it back, and takes no notice of what is added here. */
export function toObservedYaml(resource: ObservedResource): string {
  const yaml = observedDocument(resource);
  return yaml.toString({ lineWidth: 0 });
}

export function toObservedObject(resource: ObservedResource): unknown {
  return observedDocument(resource).toJS();
}

export function resourceTable(resources: readonly ObservedResource[]): string {
  const rows = resources.map(({ kind, name, generation, revision, status }) => {
    const conditions = status.conditions.map((condition) => condition.status);
    return [kind, name, String(generation), revision === 0 ? "" : String(revision), ...conditions];
  });
  const header = ["KIND", "NAME", "GENERATION", "REVISION", "ACCEPTED", "RESOLVEDREFS", "PROGRAMMED"];
  return formatTable(header, rows);
}

function observedDocument({ text, generation, status }: ObservedResource) {
  const yaml = parseDocument(text);
  // Of others' objects we say nothing.
  if (status.conditions.length === 0) return yaml;
  yaml.setIn(["metadata", "generation"], generation);
  yaml.set("status", yaml.createNode(status));
  return yaml;
}
