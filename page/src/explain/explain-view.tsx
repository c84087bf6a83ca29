/**
 * Who may ask what, and why: a question, what becomes of it now, and after the change that is being written.
 */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { latestDraft, WHOLE_SET } from "../policies/drafts.ts";
import { go, linkTo, route } from "../shell/route.ts";
import { Answer } from "./explanation.tsx";
import type { Question } from "./question.ts";

const EMPTY: Question = { client: "", name: "", type: "A", transport: "udp" };
/** Of what a client may show beside its address. */
const EVIDENCE = [
  ["principal", "Principal", "spiffe://…"],
  ["serverName", "Server name (SNI)", ""],
  ["path", "DoH path", ""],
  ["tenant", "Fixed tenant", ""],
  ["at", "At", "2026-11-24T18:00:00Z"],
] as const;

const written = signal<Question>(EMPTY);
const asked = signal<Question | undefined>(undefined);

export function ExplainView() {
  const { query } = route.value;
  const from = query.toString();
  useEffect(() => {
    if (from === "") return;
    const given = { ...EMPTY, ...Object.fromEntries(new URLSearchParams(from)) } as Question;
    written.value = given;
    asked.value = given;
  }, [from]);
  const question = written.value;
  const set = (field: keyof Question) => (event: { currentTarget: { value: string } }) => {
    written.value = { ...question, [field]: event.currentTarget.value };
  };
  const draft = latestDraft.value;
  return (
    <div class="explain stack">
      <form
        class="question"
        aria-label="A question"
        onSubmit={(event) => {
          event.preventDefault();
          const given = Object.entries(question).filter(([, value]) => value !== "");
          go(["policies", "explain"], Object.fromEntries(given) as Record<string, string>);
          asked.value = { ...question };
        }}
      >
        <label class="field">
          <span>Client</span>
          <input
            class="mono"
            required
            value={question.client}
            onInput={set("client")}
            placeholder="127.0.1.1"
            data-filter
          />
        </label>
        <label class="field wide">
          <span>asks for</span>
          <input class="mono" required value={question.name} onInput={set("name")} placeholder="www.example.com" />
        </label>
        <label class="field">
          <span>Type</span>
          <input class="mono short" value={question.type} onInput={set("type")} />
        </label>
        <label class="field">
          <span>over</span>
          <select value={question.transport} onChange={set("transport")}>
            {["udp", "tcp", "dot", "doh", "doh3"].map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <button type="submit" class="main">
          Explain
        </button>
        <details open={EVIDENCE.some(([field]) => (question[field] ?? "") !== "")}>
          <summary>What else the client shows, and when</summary>
          <div class="row">
            {EVIDENCE.map(([field, label, placeholder]) => (
              <label key={field} class="field">
                <span>{label}</span>
                <input class="mono" value={question[field] ?? ""} placeholder={placeholder} onInput={set(field)} />
              </label>
            ))}
          </div>
        </details>
      </form>
      {asked.value === undefined ? (
        <p class="empty">
          Say who asks for what, and the service says what becomes of it, by which rule, and what all other rules have
          to do with it.
        </p>
      ) : (
        <div class={draft === undefined ? "" : "columns beside"}>
          <section aria-label="In force">
            {draft !== undefined && <h2>As it is</h2>}
            <Answer question={asked.value} />
          </section>
          {draft !== undefined && (
            <section aria-label="After the change">
              <h2>
                With what you are writing:{" "}
                <a href={linkTo(["policies", "set", ...draft.key.split("/")])}>{draft.key}</a>
              </h2>
              <Answer question={{ ...asked.value, resources: draft.text, prune: draft.key === WHOLE_SET }} />
            </section>
          )}
        </div>
      )}
    </div>
  );
}
