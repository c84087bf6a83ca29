/** What the service found, with the place. */
import type { Problem } from "../../../extproc/resources/problem.ts";

export function Problems({
  problems,
  warnings = false,
}: {
  readonly problems: readonly Problem[];
  readonly warnings?: boolean;
}) {
  if (problems.length === 0) return null;
  return (
    <ul class={warnings ? "problems warnings" : "problems"} aria-label={warnings ? "Warnings" : "Problems"}>
      {problems.map((problem) => {
        const { line, path, message } = problem;
        const where = [line > 0 ? `line ${line}` : "", path].filter((part) => part !== "").join(", ");
        return (
          <li key={`${line} ${path} ${message}`}>
            {where !== "" && <span class="where">{where}</span>}
            <bdi>{message}</bdi>
          </li>
        );
      })}
    </ul>
  );
}
