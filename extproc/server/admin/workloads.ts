/**
 * /v1/workloads: machines that register as endpoints of ServiceEntries, for as long as they say so again and again. A
 * tenant's editor may register in its tenant's own namespaces.
 */
import { registrationRequest } from "../../mesh/sources/registration.ts";
import type { RegisterOutcome } from "../../mesh/sources/registrations.ts";
import { label, objectName } from "../../mesh/sources/schema-parts.ts";
import { readQuestion } from "./body.ts";
import type { AdminRequest, Reply } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

const REFUSALS: Readonly<Record<Exclude<RegisterOutcome["kind"], "registered">, number>> = {
  unknown: 404,
  unfit: 409,
  full: 503,
  unavailable: 503,
};

export async function registerWorkload(request: AdminRequest): Promise<Reply> {
  const at = readPlace(request);
  const registration = await readQuestion(request.message, registrationRequest, "a registration");
  const outcome = await request.control.register(at, registration);
  if (outcome.kind !== "registered") throw new HttpError(REFUSALS[outcome.kind], outcome.message);
  const { changed, until } = outcome;
  return { status: 200, body: { ...at, until: new Date(until).toISOString() }, unchanged: !changed };
}

export async function unregisterWorkload(request: AdminRequest): Promise<Reply> {
  const at = readPlace(request);
  if (await request.control.unregister(at)) return { status: 200, body: at };
  throw new HttpError(404, `expected a registration, got ${at.namespace}/${at.name}`);
}

function readPlace({ control, caller, variables }: AdminRequest): {
  readonly namespace: string;
  readonly name: string;
} {
  const [namespace = "", name = ""] = variables;
  if (!label.safeParse(namespace).success)
    throw new HttpError(400, `expected a namespace, got ${namespace.slice(0, 100)}`);
  if (!objectName.safeParse(name).success)
    throw new HttpError(400, `expected a name of an object, got ${name.slice(0, 100)}`);
  const { tenant } = caller;
  if (tenant !== undefined && !control.namespacesOf(tenant).includes(namespace)) {
    throw new HttpError(403, `expected a namespace of tenant ${tenant}, got ${namespace}`);
  }
  return { namespace, name };
}
