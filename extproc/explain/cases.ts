/**
 * Files of cases: questions of clients, and what is expected of each.
 *
 * A list of clients, names, types or transports is a case for each of them; problems are told with line and field, as
 * those of policies are.
 */
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { explainIssue } from "../resources/explain-issue.ts";
import { fieldNames } from "../resources/field-names.ts";
import { Origin } from "../resources/origin.ts";
import type { Problem } from "../resources/problem.ts";
import { type Expectation, expectation } from "./expectation.ts";
import { type ExplainRequest, explainRequest } from "./request.ts";

export interface Case {
  readonly source: string;
  readonly line: number;
  /** As it was named, or the question in words. */
  readonly title: string;
  readonly request: ExplainRequest;
  readonly expect: Expectation;
}

export interface ParsedCases {
  readonly cases: readonly Case[];
  readonly problems: readonly Problem[];
}

/** Somebody's mistake, before it is a memory problem. */
const MAX_CASES = 1_000_000;

/** Fields that may be lists. */
const LISTED = ["client", "name", "type", "transport"] as const;

const question = explainRequest.omit({ rules: true, client: true, name: true, type: true, transport: true });
const { client, name, type, transport } = explainRequest.shape;
const caseSchema = question.extend({
  title: z.string().optional(),
  client: z.array(client).min(1),
  name: z.array(name).min(1),
  type: z.array(type.unwrap()).min(1).optional(),
  transport: z.array(transport.unwrap()).min(1).optional(),
  expect: expectation,
});
const file = z.strictObject({ cases: z.array(caseSchema).min(1) });

/** What the schema takes, in the words that it was written in. */
type WrittenCase = z.input<typeof caseSchema>;

export function parseCases(text: string, source: string): ParsedCases {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = [...yaml.errors, ...yaml.warnings];
  const place = { source, document: 0 };
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    return { cases: [], problems: [{ ...place, line, path: "", message: `expected YAML: ${error.message}` }] };
  }
  const origin = new Origin(source, 0, text, 1);
  const value = withLists(yaml.toJS());
  const result = file.safeParse(value);
  if (!result.success) {
    const explained = result.error.issues.flatMap((issue) => explainIssue(issue, value, (at) => fieldNames(file, at)));
    const problems = explained.map(({ path, message, key }) =>
      key ? origin.keyProblem(path, message) : origin.problem(path, message),
    );
    return { cases: [], problems };
  }
  const written = (value as { cases: WrittenCase[] }).cases;
  const cases: Case[] = [];
  for (const [index, { expect }] of result.data.cases.entries()) {
    const node = yaml.getIn(["cases", index], true) as { range?: readonly number[] } | undefined;
    const { line } = lines.linePos(node?.range?.[0] ?? 0);
    for (const request of combine(written[index] as WrittenCase)) {
      if (cases.length === MAX_CASES) {
        const message = `expected at most ${MAX_CASES} cases, got more`;
        return { cases: [], problems: [{ ...place, line, path: `cases[${index}]`, message }] };
      }
      cases.push({ source, line, title: titleOf(written[index] as WrittenCase, request), request, expect });
    }
  }
  return { cases, problems: [] };
}

/** One value is a list of one. */
function withLists(value: unknown): unknown {
  const cases = (value as { cases?: unknown } | null)?.cases;
  if (!Array.isArray(cases)) return value;
  const listed = cases.map((one: unknown) => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) return one;
    const fields = Object.entries(one).map(([key, field]) =>
      (LISTED as readonly string[]).includes(key) && !Array.isArray(field) ? [key, [field]] : [key, field],
    );
    return Object.fromEntries(fields);
  });
  return { ...(value as object), cases: listed };
}

function* combine({ title: _, expect: __, ...written }: WrittenCase): Generator<ExplainRequest> {
  const { client: clients, name: names, type: types = ["A"], transport: transports = ["udp"], ...rest } = written;
  for (const client of clients) {
    for (const name of names) {
      for (const type of types) {
        for (const transport of transports) yield { ...rest, client, name, type, transport };
      }
    }
  }
}

function titleOf({ title }: WrittenCase, { client, name, type, transport }: ExplainRequest): string {
  const asked = `${client} asks ${name} ${type} over ${transport}`;
  return title === undefined ? asked : `${title}: ${asked}`;
}
