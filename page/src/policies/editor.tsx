/**
 * YAML under the hands: CodeMirror with what the schema says while one writes, and how often each rule had a word.
 */
import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";
import { completeYaml } from "../yaml/complete.ts";
import { type RuleNotes, ruleGutter, setRuleHits } from "./rule-gutter.ts";

export interface Mark {
  readonly from: number;
  readonly to: number;
  readonly severity: "error" | "warning" | "info";
  readonly message: string;
}

export interface EditorProps {
  readonly text: string;
  /** What it is at this moment: what is typed between a rendering and its effects is no text from elsewhere. */
  readonly read: () => string;
  readonly label: string;
  readonly readOnly: boolean;
  readonly marks: readonly Mark[];
  readonly notes: RuleNotes;
  readonly onChange: (text: string) => void;
  readonly onReview: () => void;
}

export function Editor(props: EditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const { text, label, readOnly, marks, notes } = props;

  useEffect(() => {
    const host = place.current;
    if (host === null) return;
    // In a shadow root CodeMirror's styles come by adopted style sheets; elsewhere as an element, which the content
    // security policy refuses.
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const editor = new EditorView({ parent: root, root, state: createState(latest) });
    view.current = editor;
    return () => editor.destroy();
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor === undefined || editor.state.doc.toString() === latest.current.read()) return;
    // Another text, not another edit: there is nothing to undo.
    editor.setState(createState(latest));
  }, [text]);

  useEffect(() => {
    view.current?.dispatch({ effects: access.reconfigure(accessOf(label, readOnly)) });
  }, [label, readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (editor === undefined) return;
    const { length } = editor.state.doc;
    const diagnostics = marks.map(
      ({ from, to, ...mark }): Diagnostic => ({ from: Math.min(from, length), to: Math.min(to, length), ...mark }),
    );
    editor.dispatch(setDiagnostics(editor.state, diagnostics));
  }, [marks, text]);

  useEffect(() => {
    view.current?.dispatch({ effects: setRuleHits.of(notes) });
  }, [notes, text]);

  return <div class="editor" ref={place} />;
}

const access = new Compartment();

function accessOf(label: string, readOnly: boolean) {
  return [
    EditorState.readOnly.of(readOnly),
    EditorView.editable.of(!readOnly),
    EditorView.contentAttributes.of({ "aria-label": label, ...(readOnly ? { tabindex: "0" } : {}) }),
  ];
}

function createState(latest: { readonly current: EditorProps }): EditorState {
  const { read, label, readOnly } = latest.current;
  return EditorState.create({
    doc: read(),
    extensions: [
      lineNumbers(),
      ruleGutter,
      highlightSpecialChars(),
      history(),
      drawSelection(),
      indentUnit.of("  "),
      EditorState.tabSize.of(2),
      bracketMatching(),
      closeBrackets(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      yaml(),
      syntaxHighlighting(highlighting),
      autocompletion({ override: [completeYaml], activateOnTyping: true, icons: false }),
      lintGutter(),
      access.of(accessOf(label, readOnly)),
      theme,
      EditorView.lineWrapping,
      typing,
      keymap.of([
        {
          key: "Mod-s",
          run: () => {
            latest.current.onReview();
            return true;
          },
        },
        ...completionKeymap,
        ...historyKeymap,
        ...searchKeymap,
        ...lintKeymap,
        // Tab indents; Escape, then Tab, goes on to what is behind the editor.
        indentWithTab,
        ...defaultKeymap,
      ]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) latest.current.onChange(update.state.doc.toString());
      }),
    ],
  });
}

/**
 * Over a selection, the browser would write into an element with the style of what was there, which the content
 * security policy refuses.
 */
const typing = EditorView.domEventHandlers({
  beforeinput: ({ inputType, data }, view) => {
    const { state, composing } = view;
    if (inputType !== "insertText" || data === null || composing || state.readOnly || state.selection.main.empty) {
      return false;
    }
    view.dispatch(state.replaceSelection(data), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

const highlighting = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.separator, tags.punctuation, tags.bracket, tags.squareBracket, tags.brace], color: "var(--soft)" },
  { tag: [tags.meta, tags.keyword], color: "var(--fault)" },
]);

const theme = EditorView.theme({
  "&": { backgroundColor: "transparent", color: "var(--ink)", fontSize: "13.5px" },
  "&.cm-focused": { outline: "2px solid var(--link)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--ink)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--soft)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in oklab, var(--ink) 4%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in oklab, var(--link) 24%, transparent)",
  },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
    backgroundColor: "transparent",
    outline: "1px solid var(--strong-line)",
  },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in oklab, var(--audit) 20%, transparent)" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--ink)",
    border: "1px solid var(--strong-line)",
    borderRadius: "4px",
    fontFamily: "var(--text)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--ink)", color: "var(--paper)" },
  ".cm-completionDetail": { color: "inherit", opacity: "0.8", fontStyle: "normal", marginLeft: "1.2em" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-diagnostic": { borderLeftWidth: "3px", padding: "4px 10px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--deny)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--audit)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--strong-line)" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--deny) 1px",
    textUnderlineOffset: "3px",
  },
  ".cm-lintRange-warning": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--audit) 1px",
    textUnderlineOffset: "3px",
  },
  ".cm-lintRange-info": {
    backgroundImage: "none",
    textDecoration: "underline dotted var(--strong-line) 1px",
    textUnderlineOffset: "3px",
  },
  ".cm-lint-marker": { content: "none !important", width: "0.7em", height: "0.7em", borderRadius: "50%" },
  ".cm-lint-marker-error": { background: "var(--deny)" },
  ".cm-lint-marker-warning": { background: "var(--audit)" },
  ".cm-lint-marker-info": { background: "var(--strong-line)" },
  ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--ink)" },
  ".cm-rule-hits": { minWidth: "5.5em", textAlign: "end", paddingRight: "10px", fontFamily: "var(--text)" },
  ".cm-rule-hits .shadowed": { color: "var(--audit)" },
});
