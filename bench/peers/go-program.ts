/**
 * A peer that is built from the Go module proxy, into `.cache/` at its first use.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installed } from "./installed.ts";

export interface GoProgram {
  readonly path: string;
  readonly isBuilt: boolean;
  /** Builds it where it is not; undefined when it is there, else what to do. */
  missing(): Promise<string | undefined>;
}

/** Of the module in `bench/NAME`, by the least version of Go that it needs. */
export function goProgram(name: string, go: string): GoProgram {
  const folder = fileURLToPath(new URL(`../../.cache/${name}/`, import.meta.url));
  const path = `${folder}${name}`;
  return {
    path,
    get isBuilt() {
      return existsSync(path);
    },
    async missing() {
      if (existsSync(path)) return undefined;
      const advice = await installed("go", `install Go ${go} or newer`);
      if (advice) return advice;
      await mkdir(folder, { recursive: true });
      const cwd = fileURLToPath(new URL(`../${name}/`, import.meta.url));
      const env = { ...process.env, CGO_ENABLED: "0" };
      await promisify(execFile)("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", path, "."], { cwd, env });
      return undefined;
    },
  };
}
