/**
 * /v1/resources: the policy set, looked at and changed.
 */
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

/** As YAML, what was written; as JSON, what became of it, too. */
export function listResources({ control, message }: AdminRequest): Reply {
  const resources = control.resources();
  const headers = entityTag(control.stored);
  if (acceptsType(message, "application/json")) {
    return { status: 200, body: { sequence: control.stored, resources }, headers };
  }
  return { status: 200, body: resources.map(({ text }) => `---\n${text}`).join(""), type: YAML, headers };
}

export function getResource({ control, variables, message }: AdminRequest): Reply {
  const [kind = "", name = ""] = variables;
  const resource = control.resources().find((one) => one.kind === kind && one.name === name);
  if (resource === undefined) throw new HttpError(404, `expected a resource in force, got ${kind}/${name}`);
  const headers = entityTag(control.stored);
  if (acceptsType(message, "application/json")) return { status: 200, body: resource, headers };
  return { status: 200, body: resource.text, type: YAML, headers };
}
