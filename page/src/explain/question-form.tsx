/** Who asks for what, to be written. */
import "../style/explain.css";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Question } from "./question.ts";

/** Of what a client may show beside its address. */
const EVIDENCE = [
  ["principal", "Principal", "spiffe://…"],
  ["serverName", "Server name (SNI)", ""],
  ["path", "DoH path", ""],
  ["tenant", "Fixed tenant", ""],
  ["at", "At", "2026-11-24T18:00:00Z"],
] as const;

export interface QuestionFormProps {
  readonly question: Question;
  /** What the button says. */
  readonly action: string;
  readonly onAsk: (question: Question) => void;
}

export function QuestionForm({ question, action, onAsk }: QuestionFormProps) {
  const written = useSignal(question);
  useEffect(() => {
    written.value = question;
  }, [question]);
  const now = written.value;
  const set = (field: keyof Question) => (event: { readonly currentTarget: { readonly value: string } }) => {
    written.value = { ...now, [field]: event.currentTarget.value };
  };
  return (
    <form
      class="question"
      aria-label="A question"
      onSubmit={(event) => {
        event.preventDefault();
        onAsk(now);
      }}
    >
      <label class="field">
        <span>Client</span>
        <input class="mono" required value={now.client} onInput={set("client")} placeholder="127.0.1.1" data-filter />
      </label>
      <label class="field wide">
        <span>asks for</span>
        <input class="mono" required value={now.name} onInput={set("name")} placeholder="www.example.com" />
      </label>
      <label class="field">
        <span>Type</span>
        <input class="mono short" value={now.type} onInput={set("type")} />
      </label>
      <label class="field">
        <span>over</span>
        <select value={now.transport} onChange={set("transport")}>
          {["udp", "tcp", "dot", "doh", "doh3"].map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <button type="submit" class="main">
        {action}
      </button>
      <details open={EVIDENCE.some(([field]) => (now[field] ?? "") !== "")}>
        <summary>What else the client shows, and when</summary>
        <div class="row">
          {EVIDENCE.map(([field, label, placeholder]) => (
            <label key={field} class="field">
              <span>{label}</span>
              <input class="mono" value={now[field] ?? ""} placeholder={placeholder} onInput={set(field)} />
            </label>
          ))}
        </div>
      </details>
    </form>
  );
}
