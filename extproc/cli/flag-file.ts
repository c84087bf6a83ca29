/**
 * Files that flags name, and what is said of a flag that is not right.
 */
import { readFile } from "node:fs/promises";
import { CommandError, ExitCode } from "./exit-code.ts";

export async function readFlagFile(flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw usage(`cannot read the file of ${flag}: ${(error as Error).message}`);
  }
}

/** What is in it but for white space around it, which must be something. */
export async function readSecret(flag: string, path: string, what = "a token"): Promise<string> {
  const secret = (await readFlagFile(flag, path)).toString().trim();
  if (secret === "") throw usage(`expected ${what} in the file of ${flag}, got nothing`);
  return secret;
}

export function usage(message: string): CommandError {
  return new CommandError(ExitCode.USAGE, message);
}
