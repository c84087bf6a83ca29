/**
 * What commands print: tables for people, JSON and YAML for programs.
 */
import { stringify } from "yaml";
import type { Context } from "./context.ts";

export const OUTPUTS = ["table", "json", "yaml"] as const;
export type Output = (typeof OUTPUTS)[number];

/** A table is made by whoever knows what of it people want to see. */
export function print(context: Context, output: Output | undefined, value: unknown, toTable: () => string): void {
  if (output === "json") context.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  else if (output === "yaml") context.stdout.write(stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }));
  else context.stdout.write(toTable());
}

/** Columns as wide as their widest cell; the last one is as long as it is. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
