/**
 * /v1/resources: the policy set, looked at and changed.
 */
import { readSources } from "./body.ts";
import { limitOf, readApplyOptions, reply } from "./change.ts";
import { type AdminRequest, acceptsType, entityTag, type Reply, readFlag } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

const YAML = "application/yaml; charset=utf-8";

export async function applyResources(request: AdminRequest): Promise<Reply> {
  const { message, control, query, caller } = request;
  const prune = readFlag(query, "prune");
  const options = readApplyOptions(request);
  const upsert = await readSources(message);
  return reply(request, control.apply({ upsert, prune, ...limitOf(caller) }, options));
}

export async function deleteResource(request: AdminRequest): Promise<Reply> {
  const { control, variables, caller } = request;
  const [kind = "", name = ""] = variables;
  const options = readApplyOptions(request);
  return reply(request, control.apply({ delete: [{ kind, name }], ...limitOf(caller) }, options));
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
