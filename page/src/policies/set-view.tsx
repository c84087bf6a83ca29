/**
 * The resources in force on the left, one of them, or all, on the right: to read, to edit, to put in force.
 */
import { computed, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Problem } from "../../../extproc/resources/problem.ts";
import type { Rules } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { mayEdit, resources, status } from "../api/service.ts";
import { go, route } from "../shell/route.ts";
import { checkYaml } from "../yaml/check.ts";
import { fetchSchemas, schemas } from "../yaml/schemas.ts";
import { outcome, review, startReview } from "./change.ts";
import { Conditions } from "./conditions.tsx";
import { drafts, dropDraft, keyOf, NEW, setDraft, textInForce, WHOLE_SET } from "./drafts.ts";
import { Editor, type Mark } from "./editor.tsx";
import { findings, findingsOf, followFindings, shadowedRules } from "./findings.ts";
import { ResourceList } from "./resource-list.tsx";
import { ReviewPanel } from "./review-panel.tsx";
import { NEVER, type RuleNote, type RuleNotes } from "./rule-gutter.ts";
import { SecondLook } from "./second-look.tsx";

/** What the route says is shown. */
const selected = computed(() => {
  const [, , ...rest] = route.value.segments;
  const all = resources.value?.resources ?? [];
  if (rest.length === 2) return rest.join("/");
  if (rest[0] === NEW || rest[0] === WHOLE_SET) return rest[0];
  const first = all.find(({ kind }) => kind.endsWith("DnsPolicy")) ?? all[0];
  return first === undefined ? NEW : keyOf(first);
});

const TEMPLATE = `apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: { name: "" }
spec:
  priority: 100
  subject: { tenants: [] }
  rules:
    - name: ""
      match: { names: [] }
      action: Deny
`;

/** What the service said of the text as it was then. */
const told = signal<{ readonly text: string; readonly problems: readonly Problem[] }>({ text: "", problems: [] });

export function SetView() {
  const key = selected.value;
  const draft = drafts.value[key];
  const inForce = textInForce(key);
  const read = () => drafts.peek()[key]?.text ?? (key === NEW ? TEMPLATE : textInForce(key));
  const text = draft?.text ?? (key === NEW ? TEMPLATE : inForce);
  const { value: rules } = useFollowed<Rules>("/v1/telemetry/rules", 5000);
  const notes = useMemo(() => toNotes(rules.value), [rules.value, findings.value]);
  useEffect(() => void fetchSchemas().catch(() => {}), []);
  useEffect(followFindings, []);
  useEffect(() => {
    review.value = undefined;
  }, [key]);
  const problems = review.value?.refusal?.problems;
  useEffect(() => {
    if (problems !== undefined) told.value = { text, problems };
  }, [problems]);
  const known = schemas.value;
  const marks = useMemo(
    () => [...faultsIn(text), ...(draft === undefined ? marksOf(key, text) : [])],
    [text, known, told.value, findings.value, key],
  );
  if (resources.value === undefined) return null;
  const resource = resources.value.resources.find((each) => keyOf(each) === key);
  const changed = draft !== undefined || (key === NEW && text !== TEMPLATE);

  const look = () => {
    const base = draft?.base ?? resources.value?.sequence ?? 0;
    const title = key === WHOLE_SET ? "The whole set" : key === NEW ? "A new resource" : key;
    const query = { prune: key === WHOLE_SET };
    void startReview({ path: "/v1/resources", method: "PUT", yaml: text, ifVersion: base, title, query });
  };
  const remove = () => {
    if (resource === undefined) return;
    const path = `/v1/resources/${encodeURIComponent(resource.kind)}/${encodeURIComponent(resource.name)}`;
    const ifVersion = resources.value?.sequence ?? 0;
    void startReview({ path, method: "DELETE", ifVersion, title: `Delete ${key}` });
  };
  const applied = () => {
    dropDraft(key);
    if (key === NEW || !(resources.value?.resources ?? []).some((each) => keyOf(each) === key)) {
      if (key !== WHOLE_SET) go(["policies"]);
    }
  };

  return (
    <div class="columns set">
      <ResourceList selected={key} notes={notes} />
      <section class="stack" aria-label={key}>
        <div class="row spread">
          <h2 class={resource === undefined ? "" : "mono"}>{titleOf(key)}</h2>
          {mayEdit.value && (
            <div class="row">
              {resource !== undefined && (
                <button type="button" class="plain bad" onClick={remove}>
                  delete
                </button>
              )}
              {draft !== undefined && (
                <button type="button" class="plain" onClick={() => dropDraft(key)}>
                  undo all
                </button>
              )}
              <button type="button" class={changed ? "main" : ""} disabled={!changed} onClick={look}>
                Review
              </button>
            </div>
          )}
        </div>
        {resource !== undefined && <Conditions resource={resource} />}
        {outcome.value !== undefined && (
          <p role="status" class={outcome.value.good ? "good" : "warn"}>
            {outcome.value.text}
          </p>
        )}
        {review.value !== undefined && <ReviewPanel key={key} reason={draft?.reason} onApplied={applied} />}
        {(draft !== undefined || key !== NEW || mayEdit.value) && (
          <Editor
            text={text}
            read={read}
            label={`YAML of ${titleOf(key)}`}
            readOnly={!mayEdit.value || status.value.value?.mode === "watch"}
            marks={marks}
            notes={notes}
            onChange={(written) => setDraft(key, written)}
            onReview={look}
          />
        )}
        <SecondLook of={key} />
      </section>
    </div>
  );
}

function titleOf(key: string): string {
  if (key === WHOLE_SET) return "The whole set";
  return key === NEW ? "A new resource" : key;
}

function faultsIn(text: string): Mark[] {
  const here = checkYaml(text).map((fault): Mark => ({ ...fault, severity: "error" }));
  if (told.value.text !== text) return here;
  return [...here, ...told.value.problems.flatMap((problem) => markLine(text, problem, "error"))];
}

/** What deserves a second look in what is in force. */
function marksOf(key: string, text: string): Mark[] {
  return findingsOf(key).flatMap((one) => markLine(text, one, one.severity === "note" ? "info" : "warning"));
}

function markLine(text: string, { line, path, message }: Problem, severity: Mark["severity"]): Mark[] {
  const lines = text.split("\n");
  if (line < 1 || line > lines.length) return [];
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const [of = ""] = lines.slice(line - 1);
  const from = start + of.length - of.trimStart().length;
  return [{ from, to: start + of.length, severity, message: `${path}: ${message}` }];
}

function toNotes(rules: Rules | undefined): RuleNotes {
  if (rules === undefined) return undefined;
  const shadowed = shadowedRules();
  const notes = new Map<string, RuleNote>([...shadowed].map(([rule, why]) => [rule, { ...NEVER, shadowed: why }]));
  for (const { policy, rule, hits, audited } of rules.rules) {
    const key = `${policy}/${rule}`;
    notes.set(key, { hits, audited, shadowed: shadowed.get(key) ?? "" });
  }
  return notes;
}
