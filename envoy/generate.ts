/**
 * Writes the bootstraps that are kept: `tsx envoy/generate.ts`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bootstrapYaml } from "./bootstrap.ts";
import { profiles } from "./profiles.ts";

/** By the file below this folder. */
export function generated(): Map<string, string> {
  return new Map(
    Object.entries(profiles).map(([file, options]) => [
      file,
      bootstrapYaml(options, "Made by envoy/generate.ts from envoy/profiles.ts. Do not edit."),
    ]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of generated()) {
    const path = new URL(file, import.meta.url);
    mkdirSync(new URL(".", path), { recursive: true });
    writeFileSync(path, text);
  }
}
