/**
 * Where in a resource the cursor is: the keys that lead there, however unfinished the text.
 */
import { syntaxTree } from "@codemirror/language";
import type { EditorState } from "@codemirror/state";
import type { SyntaxNode } from "@lezer/common";

export interface Place {
  /** Of the document that the cursor is in; empty while it says none. */
  readonly kind: string;
  /** From the document down; numbers stand for any item of a list. */
  readonly path: readonly (string | number)[];
  /** Keys that the mapping at the cursor has already. */
  readonly present: ReadonlySet<string>;
  /** A value of the last key of the path, and not a key below it. */
  readonly value: boolean;
  /** Where the word that is being written begins. */
  readonly from: number;
}

const KEY = /^(\s*)((?:- +)*)(["']?)([\w.$-]+)\3:(?:\s|$)/;

export function placeAt(state: EditorState, position: number): Place {
  const line = state.doc.lineAt(position);
  const before = line.text.slice(0, position - line.from);
  const word = /[\w./*:-]*$/.exec(before)?.[0] ?? "";
  const from = position - word.length;
  const [first, last] = documentAround(state, line.number);
  const lines = Array.from({ length: last - first + 1 }, (_, index) => state.doc.line(first + index).text);
  const kind = lines.map((text) => /^kind:\s*["']?(\w+)/.exec(text)?.[1]).find((found) => found !== undefined) ?? "";
  const inFlow = flowAround(state, from);
  if (inFlow !== undefined) return { kind, from, ...placeInFlow(state, inFlow, from) };
  const path = blockPath(state, line.number, first);
  const key = KEY.exec(before);
  if (key !== null) return { kind, from, path: [...path, key[4] ?? ""], present: new Set(), value: true };
  const isItem = /^\s*- *[\w./*:-]*$/.test(before) && !/^\s*- +\w+:/.test(line.text);
  return { kind, from, path, present: siblingsOf(state, line.number, first, last), value: isItem && word === "" };
}

/** Lines of the document around a line. */
function documentAround(state: EditorState, number: number): [number, number] {
  let first = number;
  let last = number;
  const isMarker = (at: number) => /^---(\s|$)/.test(state.doc.line(at).text);
  while (first > 1 && !isMarker(first)) first--;
  while (last < state.doc.lines && !isMarker(last + 1)) last++;
  return [first, last];
}

/** How far a key stands from the margin: after the dashes of a list's item. */
function indentOf(text: string): { indent: number; key: string | undefined; dashes: number[] } {
  const match = KEY.exec(text);
  const lead = /^(\s*)((?:- +|-$)*)/.exec(text);
  const dashes: number[] = [];
  let at = lead?.[1]?.length ?? 0;
  for (const dash of lead?.[2]?.match(/- *|-$/g) ?? []) {
    dashes.push(at);
    at += dash.length;
  }
  return { indent: at, key: match?.[4], dashes };
}

/** The keys of block mappings above a line that it stands below. */
function blockPath(state: EditorState, number: number, first: number): (string | number)[] {
  const here = state.doc.line(number).text;
  const own = indentOf(here);
  const path: (string | number)[] = [];
  let limit = here.trim() === "" ? Math.max(own.indent, here.length) : own.indent;
  // A list may stand as far from the margin as the key that it belongs to; its items are one beside the other.
  let dashLimit = limit;
  const enterList = (dash: number) => {
    path.unshift(0);
    limit = dash + 1;
    dashLimit = dash;
  };
  for (const dash of [...own.dashes].reverse()) enterList(dash);
  for (let at = number - 1; at >= first && limit > 0; at--) {
    const text = state.doc.line(at).text;
    if (text.trim() === "" || /^\s*#/.test(text)) continue;
    const { indent, key, dashes } = indentOf(text);
    if (indent < limit && key !== undefined) {
      path.unshift(key);
      limit = indent;
      dashLimit = indent;
    }
    for (const dash of [...dashes].reverse()) if (dash < dashLimit) enterList(dash);
  }
  return path;
}

/** Keys of the lines around it that stand as far from the margin. */
function siblingsOf(state: EditorState, number: number, first: number, last: number): ReadonlySet<string> {
  const here = state.doc.line(number).text;
  const level = here.trim() === "" ? here.length : indentOf(here).indent;
  const present = new Set<string>();
  const look = (from: number, step: number, end: number) => {
    for (let at = from; step > 0 ? at <= end : at >= end; at += step) {
      const text = state.doc.line(at).text;
      if (text.trim() === "" || /^---/.test(text)) continue;
      const { indent, key, dashes } = indentOf(text);
      if (indent < level) return;
      if (step > 0 && dashes.length > 0 && indent === level) return;
      if (indent === level && key !== undefined) present.add(key);
      if (step < 0 && dashes.length > 0 && indent === level) return;
    }
  };
  if (indentOf(here).dashes.length === 0) look(number - 1, -1, first);
  look(number + 1, 1, last);
  return present;
}

function flowAround(state: EditorState, position: number): SyntaxNode | undefined {
  for (let node: SyntaxNode | null = syntaxTree(state).resolveInner(position, -1); node !== null; node = node.parent) {
    if (node.name === "FlowMapping" || node.name === "FlowSequence") {
      const closed = node.lastChild?.name === "}" || node.lastChild?.name === "]";
      if (!closed || position < node.to) return node;
    }
  }
  return undefined;
}

function placeInFlow(
  state: EditorState,
  flow: SyntaxNode,
  position: number,
): Pick<Place, "path" | "present" | "value"> {
  const path: (string | number)[] = [];
  for (let node: SyntaxNode | null = flow; node !== null; node = node.parent) {
    if (node.name === "FlowSequence" || node.name === "BlockSequence") path.unshift(0);
    if (node.name === "Pair") path.unshift(keyOf(state, node));
  }
  const text = state.sliceDoc(flow.from + 1, position);
  const present = new Set(flow.getChildren("Pair").map((pair) => keyOf(state, pair)));
  if (flow.name === "FlowSequence") return { path: [...path], present, value: true };
  const open = /(?:^|,)\s*(["']?)([\w.$-]+)\1:\s*[^,[{]*$/.exec(text);
  if (open === null) return { path, present, value: false };
  return { path: [...path, open[2] ?? ""], present, value: true };
}

function keyOf(state: EditorState, pair: SyntaxNode): string {
  const key = pair.getChild("Key");
  return key === null ? "" : state.sliceDoc(key.from, key.to).replace(/^["']|["']$/g, "");
}
