/**
 * What rules have matched, on disk, so that a rule that nobody has needed for a month is found although the service was restarted
 * meanwhile: one JSON document, written anew about once a minute. A service that is killed loses what came since.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";

const content = z.object({
  /** Milliseconds since 1970. */
  since: z.number(),
  /** Tenant, policy and rule; how often it had a word; how often it was met in mode Audit, by action; when last. */
  rules: z.array(z.tuple([z.string(), z.string(), z.string(), z.number(), z.array(z.number().nullable()), z.number()])),
});

export type KeptRules = z.output<typeof content>;

export class RuleMemory {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined where nothing was kept; an Error for a file that this has not written. */
  read(): KeptRules | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    return content.parse(JSON.parse(text));
  }

  write(rules: KeptRules): void {
    const temporary = `${this.#path}.writing`;
    writeFileSync(temporary, JSON.stringify(rules), { mode: 0o600 });
    renameSync(temporary, this.#path);
  }
}
