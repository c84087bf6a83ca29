/**
 * Who may ask what, and why: a question, what becomes of it now, and after the change that is being written.
 */

import { useMemo } from "preact/hooks";
import { go, route } from "../shell/route.ts";
import { Answers } from "./answers.tsx";
import type { Question } from "./question.ts";
import { QuestionForm } from "./question-form.tsx";

const EMPTY: Question = { client: "", name: "", type: "A", transport: "udp" };

export function ExplainView() {
  // What is asked is in the address, so that it can be sent to somebody.
  const asked = route.value.query.toString();
  const question = useMemo((): Question => ({ ...EMPTY, ...Object.fromEntries(new URLSearchParams(asked)) }), [asked]);
  return (
    <div class="explain stack">
      <QuestionForm
        question={question}
        action="Explain"
        onAsk={(written) => {
          const given = Object.entries(written).filter(([, value]) => value !== "");
          go(["policies", "explain"], Object.fromEntries(given) as Record<string, string>);
        }}
      />
      {asked === "" ? (
        <p class="empty">
          Say who asks for what, and the service says what becomes of it, by which rule, and what all other rules have
          to do with it.
        </p>
      ) : (
        <Answers question={question} />
      )}
    </div>
  );
}
