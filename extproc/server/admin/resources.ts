/**
 * /v1/resources: the policy set, looked at and changed.
 */
import type { ListedObject } from "../../mesh/sources/mesh-source.ts";
import { type ForeignKindName, isForeignKind } from "../../resources/foreign-kinds.ts";
import type { ObservedResource } from "../resource-status.ts";
import { readSources } from "./body.ts";
import { limitOf, readApplyOptions, reply } from "./change.ts";
import { type AdminRequest, acceptsType, entityTag, type Reply, readFlag } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

/** Objects of the mesh are others': nothing is said of them here. */
function observeObject({ kind, name, text }: ListedObject): ObservedResource {
  return { kind, name, text, generation: 1, revision: 0, status: { observedGeneration: 1, conditions: [] } };
}

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
export async function listResources({ control, message, query }: AdminRequest): Promise<Reply> {
  const kind = query.get("kind");
  const resources = isForeignKind(kind ?? "")
    ? (await control.objects(kind as ForeignKindName)).map(observeObject)
    : control.resources().filter((resource) => kind === null || resource.kind === kind);
  const headers = entityTag(control.stored);
  if (acceptsType(message, "application/json")) {
    return { status: 200, body: { sequence: control.stored, resources }, headers };
  }
  return { status: 200, body: resources.map(({ text }) => `---\n${text}`).join(""), type: YAML, headers };
}

export async function getResource({ control, variables, message }: AdminRequest): Promise<Reply> {
  const [kind = "", name = ""] = variables;
  const resource = isForeignKind(kind)
    ? await control.object(kind, name).then((object) => object && observeObject(object))
    : control.resources().find((one) => one.kind === kind && one.name === name);
  if (resource === undefined) throw new HttpError(404, `expected a resource in force, got ${kind}/${name}`);
  const headers = entityTag(control.stored);
  if (acceptsType(message, "application/json")) return { status: 200, body: resource, headers };
  return { status: 200, body: resource.text, type: YAML, headers };
}
