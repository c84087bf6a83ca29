/**
 * The OpenAPI 3.1 description of the admin API, made of its routes and the words for them.
 */
import { z } from "zod";
import { explainRequest } from "../../explain/request.ts";
import { registrationRequest } from "../../mesh/sources/registration.ts";
import { describeKind, KINDS } from "../../resources/json-schema.ts";
import {
  OPERATIONS,
  type OperationDescription,
  PARAMETERS,
  type ParameterDescription,
  type ParameterName,
  type ReplyDescription,
} from "./api-description.ts";
import type { Role } from "./caller.ts";
import { REPLY_SCHEMAS } from "./reply-schemas.ts";
import type { Method, Route } from "./route.ts";

const ETAG = { description: "The version in force", schema: { type: "string" } };
const ERROR = { "application/json": { schema: { $ref: "#/components/schemas/Error" } } };

export function describeApi(routes: readonly Route[]): object {
  const paths = routes.map(({ path, methods }) => {
    const operations = Object.entries(methods).map(([method, { role }]) => {
      const description = OPERATIONS[`${method as Method} ${path}`];
      if (description === undefined) throw new Error(`expected a description of ${method} ${path}, got none`);
      return [method.toLowerCase(), describeOperation(path, description, role)];
    });
    return [path, Object.fromEntries(operations)];
  });
  return {
    openapi: "3.1.0",
    info: {
      title: "envoy-dns-policy admin API",
      version: "v1",
      description: "DNS policies of the mesh: looked at, changed, and gone back to.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths: Object.fromEntries(paths),
    components: {
      schemas: { ...replySchemas(), ...Object.fromEntries(KINDS.map((kind) => [kind, describeKind(kind)])) },
      parameters: Object.fromEntries(Object.entries(PARAMETERS).map(([name, each]) => [name, describeParameter(each)])),
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        certificate: { type: "mutualTLS", description: "The URI of a client certificate has a role" },
      },
    },
  };
}

function describeOperation(path: string, description: OperationDescription, role: Role | undefined): object {
  const { id, summary, parameters = [], takes, replies } = description;
  const variables = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as ParameterName);
  const refused = role === undefined ? {} : { 401: "Nobody that is known", 403: `Not in the role ${role}` };
  const responses = {
    ...Object.fromEntries(Object.entries(replies).map(([status, reply]) => [status, describeReply(reply)])),
    ...Object.fromEntries(
      Object.entries(refused).map(([status, text]) => [status, { description: text, content: ERROR }]),
    ),
  };
  return {
    operationId: id,
    summary,
    // On the Unix socket nothing is shown: its file's mode says who may use it.
    security: role === undefined ? [] : [{ token: [] }, { certificate: [] }, {}],
    ...(role === undefined ? {} : { "x-role": role }),
    parameters: [...variables, ...parameters].map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...(takes === undefined ? {} : { requestBody: takes === "yaml" ? YAML_BODY : jsonBody(takes) }),
    responses,
  };
}

const YAML_BODY = {
  required: true,
  description: "Resources, in any number of documents, or in any number of files",
  content: {
    "application/yaml": { schema: { type: "string" } },
    "multipart/form-data": {
      schema: { type: "object", properties: { file: { type: "array", items: { type: "string" } } } },
    },
  },
};

function jsonBody(name: string): object {
  return { required: true, content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } } };
}

function describeReply({ description, json, text, tagged = false }: ReplyDescription): object {
  const schema = json === "OpenApi" ? { type: "object" } : { $ref: `#/components/schemas/${json}` };
  return {
    description,
    ...(tagged ? { headers: { ETag: ETAG } } : {}),
    content: {
      ...(text === undefined ? {} : { [text]: { schema: { type: "string" } } }),
      ...(json === undefined ? {} : { "application/json": { schema } }),
    },
  };
}

function describeParameter({ required = false, ...parameter }: ParameterDescription): object {
  return { ...parameter, required };
}

function replySchemas(): Record<string, object> {
  const entries = Object.entries(REPLY_SCHEMAS).map(([name, schema]) => {
    const { $schema, ...described } = z.toJSONSchema(schema);
    return [name, described];
  });
  const requests = Object.entries({ ExplainRequest: explainRequest, RegistrationRequest: registrationRequest }).map(
    ([name, schema]) => {
      const { $schema, ...described } = z.toJSONSchema(schema, { io: "input" });
      return [name, described];
    },
  );
  return Object.fromEntries([...entries, ...requests]);
}
