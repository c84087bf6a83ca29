/**
 * /v1/resources: the policy set, looked at and changed.
 */
import type { StoredResource } from "../../store/policy-source.ts";
import type { Control } from "../control.ts";
import { readSources } from "./body.ts";
import { describeOutcome, readApplyOptions } from "./change.ts";
import { type AdminRequest, acceptsType, entityTag, type Reply, readFlag } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

const YAML = "application/yaml; charset=utf-8";

export async function applyResources(request: AdminRequest): Promise<Reply> {
  const { message, control, query } = request;
  const prune = readFlag(query, "prune");
  const options = readApplyOptions(request);
  return describeOutcome(await control.apply({ upsert: await readSources(message), prune }, options));
}

export async function deleteResource(request: AdminRequest): Promise<Reply> {
  const { control, variables } = request;
  const [kind = "", name = ""] = variables;
  return describeOutcome(await control.apply({ delete: [{ kind, name }] }, readApplyOptions(request)));
}

export function listResources({ control, message }: AdminRequest): Reply {
  const { sequence, resources } = control.inForce();
  const headers = entityTag(sequence);
  if (acceptsType(message, "application/json")) return { status: 200, body: { sequence, resources }, headers };
  return { status: 200, body: toYaml(resources), type: YAML, headers };
}

export function getResource({ control, variables }: AdminRequest): Reply {
  const [kind = "", name = ""] = variables;
  const { sequence, resource } = findResource(control, kind, name);
  return { status: 200, body: resource.text, type: YAML, headers: entityTag(sequence) };
}

function findResource(
  control: Control,
  kind: string,
  name: string,
): { readonly sequence: number; readonly resource: StoredResource } {
  const { sequence, resources } = control.inForce();
  const resource = resources.find((one) => one.kind === kind && one.name === name);
  if (resource === undefined) throw new HttpError(404, `expected a resource in force, got ${kind}/${name}`);
  return { sequence, resource };
}

export function toYaml(resources: readonly StoredResource[]): string {
  return resources.map(({ text }) => `---\n${text}${text.endsWith("\n") ? "" : "\n"}`).join("");
}
