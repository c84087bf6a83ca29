/**
 * Whether a program is there.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Undefined when the program is in the path; else what to do about it. */
export async function installed(program: string, advice: string): Promise<string | undefined> {
  try {
    await promisify(execFile)("which", [program]);
    return undefined;
  } catch {
    return `${program} is not installed: ${advice}`;
  }
}
