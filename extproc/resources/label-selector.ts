/**
 * Labels of pods, as Kubernetes selects by them (LabelSelector of meta/v1): everything that is said has to hold.
 */
import { z } from "zod";

const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

const key = z.string().refine(
  (text) => {
    const [name = "", prefix, ...more] = text.split("/").reverse();
    return (
      more.length === 0 && NAME.test(name) && (prefix === undefined || (prefix.length <= 253 && PREFIX.test(prefix)))
    );
  },
  { message: "expected a label's key, as app or app.kubernetes.io/name" },
);
const value = z.string().refine((text) => text === "" || NAME.test(text), { message: "expected a label's value" });

const expression = z
  .strictObject({
    key,
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
    values: z.array(value).default([]),
  })
  .superRefine(({ operator, values }, context) => {
    const lists = operator === "In" || operator === "NotIn";
    if (lists !== values.length > 0) {
      const message = `expected ${lists ? "values" : "no values"} with operator ${operator}`;
      context.addIssue({ code: "custom", message, path: ["values"] });
    }
  });

/** An empty one selects every pod. */
export const labelSelector = z.strictObject({
  matchLabels: z.record(key, value).optional(),
  matchExpressions: z.array(expression).optional(),
});

export type LabelSelector = z.output<typeof labelSelector>;
export type Labels = Readonly<Record<string, string>>;

type Requirement = z.output<typeof expression>;

export function selectsLabels(selector: LabelSelector, labels: Labels): boolean {
  return requirementsOf(selector).every((one) => holds(one, labels));
}

/** Whether no pod can be selected by both, as far as that is plain from what they say. */
export function excludeEachOther(a: LabelSelector, b: LabelSelector): boolean {
  const others = requirementsOf(b);
  return requirementsOf(a).some((one) => others.some((other) => one.key === other.key && contradict(one, other)));
}

function requirementsOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector): Requirement[] {
  const equal = Object.entries(matchLabels).map(([name, text]) => ({
    key: name,
    operator: "In" as const,
    values: [text],
  }));
  return [...equal, ...matchExpressions];
}

function holds({ key: name, operator, values }: Requirement, labels: Labels): boolean {
  const own = Object.hasOwn(labels, name) ? labels[name] : undefined;
  if (operator === "Exists") return own !== undefined;
  if (operator === "DoesNotExist") return own === undefined;
  // As in Kubernetes, who has no such label is in no list.
  const listed = own !== undefined && values.includes(own);
  return operator === "In" ? listed : !listed;
}

function contradict(a: Requirement, b: Requirement): boolean {
  if (a.operator === "In") {
    if (b.operator === "In") return !a.values.some((text) => b.values.includes(text));
    if (b.operator === "NotIn") return a.values.every((text) => b.values.includes(text));
    return b.operator === "DoesNotExist";
  }
  if (a.operator === "Exists") return b.operator === "DoesNotExist";
  return b.operator !== a.operator && (b.operator === "In" || b.operator === "Exists") && contradict(b, a);
}
