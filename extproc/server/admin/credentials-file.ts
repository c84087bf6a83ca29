/**
 * The file of --admin-tokens: a YAML list of who may do what, each by a token or by a client certificate.
 */
import { z } from "zod";
import { resourceName } from "../../resources/field.ts";
import { parseFile } from "../../resources/parse-file.ts";
import type { Problem } from "../../resources/problem.ts";
import { ROLES } from "./caller.ts";
import type { Credential } from "./credentials.ts";

const name = z.string().regex(/^[\x21-\x7e]{1,100}$/, "expected 1 to 100 ASCII characters without spaces");
const sha256 = z.string().regex(/^[0-9a-f]{64}$/i, "expected the SHA-256 of a token as 64 hex digits");
const principal = z.string().regex(/^[a-z][a-z0-9+.-]*:[\x21-\x7e]{1,1000}$/, "expected a URI as spiffe://domain/path");

const file = z.array(
  z
    .strictObject({
      name,
      role: z.enum(ROLES),
      tenant: resourceName.optional(),
      sha256: sha256.optional(),
      principal: principal.optional(),
    })
    .superRefine(({ role, tenant, sha256, principal }, context) => {
      const fail = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
      if (role === "editor" && tenant === undefined) fail(["role"], "expected a tenant beside role editor, got none");
      if (role !== "editor" && tenant !== undefined) fail(["tenant"], `expected no tenant with role ${role}, got one`);
      if ((sha256 === undefined) === (principal === undefined)) {
        fail([], `expected sha256 or principal, got ${sha256 === undefined ? "neither" : "both"}`);
      }
    }),
);

export type ReadCredentials =
  | { readonly credentials: readonly Credential[]; readonly problems?: undefined }
  | { readonly problems: readonly Problem[] };

export function parseCredentials(text: string, source: string): ReadCredentials {
  const read = parseFile(text, source, file);
  if (read.problems !== undefined) return read;
  const { value, origin } = read;
  const problems = value.flatMap((one, index) => {
    const first = value.findIndex(
      (other) =>
        other.name === one.name ||
        (one.sha256 !== undefined && other.sha256?.toLowerCase() === one.sha256.toLowerCase()) ||
        (one.principal !== undefined && other.principal === one.principal),
    );
    if (first === index) return [];
    return [origin.problem([index], `expected a name, token and principal of its own, got one of entry ${first + 1}`)];
  });
  if (problems.length > 0) return { problems };
  return {
    credentials: value.map(({ sha256, ...credential }) => ({
      ...credential,
      digest: sha256 === undefined ? undefined : Buffer.from(sha256, "hex"),
    })),
  };
}
