/**
 * Writes envoy/generated/*.yaml: `tsx envoy/generate.ts`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bootstrapYaml } from "./bootstrap.ts";
import { profiles } from "./profiles.ts";

export function generated(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [name, options] of Object.entries(profiles)) {
    files.set(
      `${name}.yaml`,
      bootstrapYaml(options, `Made by envoy/generate.ts from the profile "${name}". Do not edit.`),
    );
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = new URL("generated/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of generated()) writeFileSync(new URL(name, folder), text);
}
