/**
 * The commands that ask nobody: validate, schema, crds.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { CompileJobs } from "../compile/job.ts";
import { parseObjects } from "../mesh/sources/parse-objects.ts";
import { customResources } from "../resources/custom-resource.ts";
import { KINDS, kindSchema, resourceSchema } from "../resources/json-schema.ts";
import { formatProblem } from "../resources/problem.ts";
import type { Kind } from "../resources/schema.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { count, type Output, print } from "./output.ts";
import { readSourceFiles } from "./sources.ts";

export interface ValidateOptions {
  readonly filename: readonly string[];
  /** Warnings are as bad as problems. */
  readonly strict?: boolean;
  readonly output?: Output;
}

/** The files as the whole set, just as `apply --prune` would judge them. */
export async function runValidate(context: Context, options: ValidateOptions): Promise<ExitCode> {
  const files = await readSourceFiles(options.filename, context.readStdin);
  const sources = files.map(({ name, octets }) => ({ name, text: octets }));
  const result = new CompileJobs().run([], { upsert: sources, prune: true });
  const mesh = parseObjects(sources);
  const problems = [...(result.ok ? [] : result.problems), ...mesh.problems];
  const resources = (result.ok ? result.changes.length : 0) + mesh.objects.length;
  const valid = problems.length === 0 && (options.strict !== true || result.warnings.length === 0);
  for (const warning of result.warnings) context.stderr.write(`warning: ${formatProblem(warning)}\n`);
  for (const problem of problems) context.stderr.write(`${formatProblem(problem)}\n`);
  print(context, options.output, { valid, resources, problems, warnings: result.warnings }, () => {
    if (valid) return `valid: ${count(resources, "resource")}\n`;
    return `not valid: ${count(problems.length, "problem")}, ${count(result.warnings.length, "warning")}\n`;
  });
  return valid ? ExitCode.OK : ExitCode.FAILED;
}

export interface SchemaOptions {
  /** Write one file a kind, and one of all, here. */
  readonly directory?: string;
}

export async function runSchema(context: Context, kind: string | undefined, options: SchemaOptions): Promise<ExitCode> {
  if (options.directory !== undefined) {
    await mkdir(options.directory, { recursive: true });
    for (const one of KINDS) await writeSchema(options.directory, one, kindSchema(one));
    await writeSchema(options.directory, "resource", resourceSchema());
    return ExitCode.OK;
  }
  const known = KINDS.find((one) => one === kind);
  if (kind !== undefined && known === undefined) {
    throw new CommandError(ExitCode.USAGE, `expected one of ${KINDS.join(", ")}, got ${kind}`);
  }
  context.stdout.write(format(known === undefined ? resourceSchema() : kindSchema(known)));
  return ExitCode.OK;
}

/** For `kubectl apply -f -`. */
export function runCrds(context: Context): void {
  const documents = customResources().map((definition) =>
    stringify(definition, { aliasDuplicateObjects: false, lineWidth: 0 }),
  );
  context.stdout.write(documents.map((text) => `---\n${text}`).join(""));
}

function writeSchema(directory: string, name: Kind | "resource", schema: object): Promise<void> {
  return writeFile(join(directory, `${name}.schema.json`), format(schema));
}

function format(schema: object): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}
