/**
 * Where in a text the rules of policies stand.
 */
import { type Document, isMap, isSeq, type ParsedNode, parseAllDocuments, type YAMLMap } from "yaml";

export interface RulePlace {
  readonly kind: string;
  readonly policy: string;
  readonly rule: string;
  /** Offset of the rule's first character. */
  readonly from: number;
}

export function findRules(text: string): RulePlace[] {
  const documents = parseAllDocuments(text, { prettyErrors: false });
  return Array.isArray(documents) ? documents.flatMap((document) => rulesOf(document as Document.Parsed)) : [];
}

function rulesOf(document: Document.Parsed<ParsedNode>): RulePlace[] {
  const rules = document.getIn(["spec", "rules"]);
  if (!isSeq(rules)) return [];
  const [kind, policy] = [document.get("kind"), document.getIn(["metadata", "name"])].map(String);
  return rules.items.filter(isMap).map((rule) => {
    const from = (rule as YAMLMap.Parsed).range[0];
    return { kind: kind ?? "", policy: policy ?? "", rule: String(rule.get("name") ?? ""), from };
  });
}
