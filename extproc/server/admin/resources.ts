/**
 * /v1/resources: what is asked of the policy set, and what came of it.
 */
import type { Change } from "../../compile/change.ts";
import type { StoredResource } from "../../store/policy-source.ts";
import type { Control } from "../control.ts";
import { readSources } from "./body.ts";
import { type AdminRequest, type Reply, readFlag } from "./exchange.ts";
import { HttpError } from "./http-error.ts";
import { describeApplied } from "./status.ts";

const YAML = "application/yaml; charset=utf-8";

export async function applyResources({ message, control, query }: AdminRequest): Promise<Reply> {
  const prune = readFlag(query, "prune");
  const dryRun = readFlag(query, "dryRun");
  return apply(control, { upsert: await readSources(message), prune }, dryRun);
}

export async function deleteResource({ control, query, variables }: AdminRequest): Promise<Reply> {
  const dryRun = readFlag(query, "dryRun");
  const [kind = "", name = ""] = variables;
  return apply(control, { delete: [{ kind, name }] }, dryRun);
}

export function listResources({ control, message }: AdminRequest): Reply {
  const resources = control.resources();
  if (acceptsJson(message.headers.accept)) return { status: 200, body: { sequence: control.sequence, resources } };
  return { status: 200, body: resources.map(toDocument).join(""), type: YAML };
}

export function getResource({ control, variables }: AdminRequest): Reply {
  const [kind = "", name = ""] = variables;
  const resource = find(control, kind, name);
  if (resource === undefined) throw notFound(kind, name);
  return { status: 200, body: resource.text, type: YAML };
}

/** 200: every worker obeys. 202: it is in force, and some worker may still answer by an older policy. */
async function apply(control: Control, change: Change, dryRun: boolean): Promise<Reply> {
  const outcome = await control.apply(change, dryRun);
  switch (outcome.kind) {
    case "applied":
      for (const { kind, name, change: what } of outcome.changes) if (what === "absent") throw notFound(kind, name);
      return { status: outcome.behind.length === 0 ? 200 : 202, body: describeApplied(outcome) };
    case "read_only":
      throw new HttpError(409, outcome.message);
    case "conflict":
      throw new HttpError(409, "the store has another writer", outcome);
    case "invalid":
      throw new HttpError(400, "the policy would not be valid: nothing was changed", outcome);
  }
}

function find(control: Control, kind: string, name: string): StoredResource | undefined {
  return control.resources().find((resource) => resource.kind === kind && resource.name === name);
}

function notFound(kind: string, name: string): HttpError {
  return new HttpError(404, `expected a resource in force, got ${kind}/${name}`);
}

function acceptsJson(accept: string | undefined): boolean {
  return /(^|[,\s])application\/json\b/i.test(accept ?? "");
}

function toDocument({ text }: StoredResource): string {
  return `---\n${text}${text.endsWith("\n") ? "" : "\n"}`;
}
