/**
 * Colours, where a terminal shows them and nobody asked for none (https://no-color.org).
 */
import type { Context } from "./context.ts";

const CODES = { red: 31, green: 32, yellow: 33, dim: 2 } as const;

export function painter({ stdout, environment }: Context): (colour: keyof typeof CODES, text: string) => string {
  const isTerminal = "isTTY" in stdout && stdout.isTTY === true;
  if (!isTerminal || (environment.NO_COLOR ?? "") !== "") return (_, text) => text;
  return (colour, text) => `\x1b[${CODES[colour]}m${text}\x1b[0m`;
}
