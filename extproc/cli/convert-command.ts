/**
 * `dnspolicy convert`: another product's configuration as resources of ours, and what they do not say.
 */
import { stringify } from "yaml";
import { CompileJobs } from "../compile/job.ts";
import { convertAdGuard } from "../convert/adguard.ts";
import { convertBlocky } from "../convert/blocky.ts";
import { convertCilium } from "../convert/cilium.ts";
import { Conversion, type Source } from "../convert/conversion.ts";
import { convertHosts } from "../convert/hosts.ts";
import { convertRpz } from "../convert/rpz.ts";
import { formatProblem } from "../resources/problem.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { readSourceFiles } from "./sources.ts";

const CONVERTERS: Readonly<Record<string, (source: Source, conversion: Conversion, name: string) => void>> = {
  cilium: convertCilium,
  rpz: convertRpz,
  hosts: convertHosts,
  blocky: convertBlocky,
  adguard: convertAdGuard,
};

export const CONVERTED_FORMATS = Object.keys(CONVERTERS);

export interface ConvertOptions {
  readonly filename: readonly string[];
  /** Of the policy that a zone or a hosts file becomes. */
  readonly name: string;
  readonly allowPartial?: boolean;
}

export async function runConvert(context: Context, format: string, options: ConvertOptions): Promise<ExitCode> {
  const conversion = new Conversion();
  for (const { name, octets } of await readSourceFiles(options.filename, context.readStdin)) {
    CONVERTERS[format]?.({ name, text: octets.toString("utf8") }, conversion, options.name);
  }
  const text = conversion.resources.map((one) => `---\n${stringify(one, { lineWidth: 0 })}`).join("");
  for (const { kind, ...problem } of conversion.remarks) context.stderr.write(`${kind}: ${formatProblem(problem)}\n`);
  const result = new CompileJobs().run([], { upsert: [{ name: "converted", text }], prune: true });
  if (!result.ok) {
    for (const problem of result.problems) context.stderr.write(`${formatProblem(problem)}\n`);
    throw new CommandError(ExitCode.FAILED, "what comes of it is not valid");
  }
  context.stdout.write(text);
  const left = conversion.remarks.some(({ kind }) => kind === "left");
  return left && options.allowPartial !== true ? ExitCode.FAILED : ExitCode.OK;
}
