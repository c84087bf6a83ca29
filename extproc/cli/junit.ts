/**
 * Results as JUnit's XML, which CI systems show.
 */
export interface JUnitCase {
  readonly suite: string;
  readonly name: string;
  readonly line: number;
  readonly seconds: number;
  /** Undefined where it has passed. */
  readonly failure: string | undefined;
}

export function toJUnit(cases: readonly JUnitCase[]): string {
  const suites = [...new Set(cases.map(({ suite }) => suite))];
  const lines = suites.flatMap((name) => {
    const own = cases.filter(({ suite }) => suite === name);
    return [`  <testsuite name="${toXml(name)}" ${totals(own)}>`, ...own.map(describe), "  </testsuite>"];
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${totals(cases)}>\n${lines.join("\n")}\n</testsuites>\n`;
}

function totals(cases: readonly JUnitCase[]): string {
  const failures = cases.filter(({ failure }) => failure !== undefined).length;
  const seconds = cases.reduce((sum, one) => sum + one.seconds, 0);
  return `tests="${cases.length}" failures="${failures}" errors="0" skipped="0" time="${seconds.toFixed(3)}"`;
}

function describe({ suite, name, line, seconds, failure }: JUnitCase): string {
  const place = `classname="${toXml(suite)}" file="${toXml(suite)}" line="${line}" time="${seconds.toFixed(3)}"`;
  const opened = `    <testcase name="${toXml(name)}" ${place}`;
  if (failure === undefined) return `${opened}/>`;
  const [first = ""] = failure.split("\n");
  return `${opened}>\n      <failure message="${toXml(first)}">${toXml(failure)}</failure>\n    </testcase>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Characters that XML 1.0 cannot have are a question mark. */
function toXml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "?")
      .replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character)
  );
}
