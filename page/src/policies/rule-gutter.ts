/**
 * Beside each rule of a policy, how often it decided: the column between the line numbers and the text.
 */
import { type Range, RangeSet, StateEffect, StateField, type Text } from "@codemirror/state";
import { GutterMarker, gutter } from "@codemirror/view";
import { formatCompact } from "../text/words.ts";
import { findRules } from "../yaml/rules.ts";

export interface RuleNote {
  readonly hits: number;
  readonly audited: number;
  /** Why it never has a word; empty where that is not known. */
  readonly shadowed: string;
}

/** By `policy/rule`; undefined while nothing is known. */
export type RuleNotes = ReadonlyMap<string, RuleNote> | undefined;

export const NEVER: RuleNote = { hits: 0, audited: 0, shadowed: "" };

export const setRuleHits = StateEffect.define<RuleNotes>();

class HitsMarker extends GutterMarker {
  readonly #note: RuleNote;

  constructor(note: RuleNote) {
    super();
    this.#note = note;
  }

  override eq(other: HitsMarker): boolean {
    return JSON.stringify(other.#note) === JSON.stringify(this.#note);
  }

  override toDOM(): Node {
    const { hits, audited, shadowed } = this.#note;
    const element = document.createElement("span");
    const words = [
      shadowed !== "" ? "shadowed" : "",
      audited > 0 ? `${formatCompact(audited)} on trial` : "",
      hits > 0 || (audited === 0 && shadowed === "") ? `${formatCompact(hits)} ×` : "",
    ];
    element.textContent = words.filter((word) => word !== "").join(", ");
    element.title = shadowed !== "" ? shadowed : "Queries that this rule has decided, since they are counted";
    if (shadowed !== "") element.className = "shadowed";
    return element;
  }
}

interface Notes {
  readonly notes: RuleNotes;
  readonly markers: RangeSet<GutterMarker>;
}

const NONE: Notes = { notes: undefined, markers: RangeSet.empty };

const field = StateField.define<Notes>({
  create: () => NONE,
  update(before, transaction) {
    const effect = transaction.effects.find((each) => each.is(setRuleHits));
    if (effect === undefined && !transaction.docChanged) return before;
    const notes = effect === undefined ? before.notes : effect.value;
    return { notes, markers: mark(transaction.state.doc, notes) };
  },
});

function mark(text: Text, notes: RuleNotes): RangeSet<GutterMarker> {
  if (notes === undefined) return RangeSet.empty;
  const markers = findRules(text.toString()).flatMap(({ policy, rule, from }): Range<GutterMarker>[] => {
    const note = notes.get(`${policy}/${rule}`) ?? NEVER;
    return [new HitsMarker(note).range(text.lineAt(from).from)];
  });
  return RangeSet.of(markers, true);
}

export const ruleGutter = [
  field,
  gutter({ class: "cm-rule-hits", markers: (view) => view.state.field(field).markers }),
];
