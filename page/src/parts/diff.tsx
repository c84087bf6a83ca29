/** A unified diff, line by line; signs say what colours say. */
import type { Difference } from "../../../extproc/resources/difference.ts";

const WORDS = { created: "new", updated: "changed", deleted: "deleted" } as const;

export function Differences({ differences }: { readonly differences: readonly Difference[] }) {
  return (
    <ul class="stack">
      {differences.map(({ kind, name, change, diff }) => (
        <li key={`${kind}/${name}`}>
          <h3>
            <span class="mono">
              {kind}/{name}
            </span>
            , {WORDS[change]}
          </h3>
          <DiffLines diff={diff} label={`What changes in ${kind} ${name}`} />
        </li>
      ))}
    </ul>
  );
}

function DiffLines({ diff, label }: { readonly diff: string; readonly label: string }) {
  const lines = diff.trimEnd().split("\n").slice(2);
  return (
    <section class="diff" tabIndex={0} aria-label={label}>
      {lines.map((line, index) => (
        <span key={index} class={classOf(line)}>
          {line}
        </span>
      ))}
    </section>
  );
}

function classOf(line: string): string {
  if (line.startsWith("+")) return "added";
  if (line.startsWith("-")) return "removed";
  return line.startsWith("@@") ? "place" : "";
}
