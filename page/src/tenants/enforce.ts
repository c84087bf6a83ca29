/**
 * The change that makes a rule on trial earnest: the word Audit, wherever it holds for the rule, and nothing else of the
 * text.
 */
import { isMap, isScalar, isSeq, type Node, parseDocument } from "yaml";

/** Undefined where the rule is not on trial, or not there. */
export function enforceRule(text: string, rule: string): string | undefined {
  const document = parseDocument(text, { prettyErrors: false });
  const rules = document.getIn(["spec", "rules"]);
  if (!isSeq(rules)) return undefined;
  const found = rules.items.find((each) => isMap(each) && each.get("name") === rule);
  if (!isMap(found)) return undefined;
  const modes = [document.getIn(["spec", "mode"], true), found.get("mode", true)] as (Node | undefined)[];
  const places = modes.flatMap((mode) => (isScalar(mode) && mode.value === "Audit" && mode.range ? [mode.range] : []));
  if (places.length === 0) return undefined;
  let enforced = text;
  for (const [from, to] of places.sort(([a], [b]) => b - a)) {
    enforced = `${enforced.slice(0, from)}Enforce${enforced.slice(to)}`;
  }
  return enforced;
}

/** Whether the whole policy is on trial: what enforces one of its rules enforces all. */
export function isWholeOnTrial(text: string): boolean {
  return parseDocument(text, { prettyErrors: false }).getIn(["spec", "mode"]) === "Audit";
}
