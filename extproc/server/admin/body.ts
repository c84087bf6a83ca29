/**
 * The body of a request: YAML, or several files of it as multipart/form-data; or JSON.
 */
import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import type { Source } from "../../compile/change.ts";
import { explainIssue } from "../../resources/explain-issue.ts";
import { fieldNames } from "../../resources/field-names.ts";
import { formatPath, type Problem } from "../../resources/problem.ts";
import { HttpError } from "./http-error.ts";
import { readMultipart } from "./multipart.ts";
import { decodeText, shareText } from "./utf8.ts";

export const MAX_BODY = 16 * 2 ** 20;

const YAML_TYPES: ReadonlySet<string> = new Set([
  "application/yaml",
  "application/x-yaml",
  "text/yaml",
  "text/x-yaml",
  "text/plain",
]);

/** A line that is more than white space, a comment or a marker. */
const CONTENT = /^(?!\s*(?:#|---\s*(?:#.*)?$|\.\.\.\s*$|%)).*\S/m;

export async function readSources(request: IncomingMessage): Promise<readonly Source[]> {
  const header = request.headers["content-type"] ?? "";
  const type = header.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const multipart = type === "multipart/form-data";
  if (!multipart && !YAML_TYPES.has(type)) {
    const got = type === "" ? "none" : type.slice(0, 100);
    throw new HttpError(415, `expected content-type application/yaml or multipart/form-data, got ${got}`);
  }
  const body = await readBody(request);
  const parts = multipart ? readMultipart(body, header) : [{ name: "request", octets: body }];
  // With prune it would delete everything, which nobody says with an empty file.
  if (!parts.some(({ octets }) => CONTENT.test(octets.toString("latin1")))) {
    throw new HttpError(400, "expected at least one resource, got none");
  }
  return parts.map(({ name, octets }) => ({ name, text: shareText(octets, name) }));
}

/** JSON that is as the schema has it. */
export async function readQuestion<S extends z.ZodType>(
  request: IncomingMessage,
  schema: S,
  what: string,
): Promise<z.output<S>> {
  const value = await readJson(request);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue): Problem[] =>
    explainIssue(issue, value, (at) => fieldNames(schema, at)).map(({ path, message }) => {
      return { source: "request", document: 0, line: 0, path: formatPath(path), message };
    }),
  );
  throw new HttpError(400, `expected ${what}, got another request`, { problems });
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new HttpError(415, `expected content-type application/json, got ${type}`);
  const text = decodeText(await readBody(request), "the body");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, `expected JSON: ${(error as Error).message}`);
  }
}

function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = () => new HttpError(413, `expected a body of at most ${MAX_BODY} octets, got more`);
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    // Not `for await`: ending that early destroys the connection, and with it the reply.
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_BODY) chunks.push(chunk);
      else {
        chunks = [];
        reject(tooLarge());
      }
    });
    request.on("end", () => resolve(Buffer.concat(chunks, Math.min(length, MAX_BODY))));
    request.on("error", reject);
  });
}
