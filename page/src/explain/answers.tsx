/** What becomes of a question as things are, and beside it after the change that is being written. */
import { latestDraft, WHOLE_SET } from "../policies/drafts.ts";
import { linkTo } from "../shell/route.ts";
import { Answer } from "./explanation.tsx";
import type { Question } from "./question.ts";

export function Answers({ question }: { readonly question: Question }) {
  const draft = latestDraft.value;
  return (
    <div class={draft === undefined ? "" : "columns beside"}>
      <section aria-label="In force">
        {draft !== undefined && <h2>As it is</h2>}
        <Answer question={question} />
      </section>
      {draft !== undefined && (
        <section aria-label="After the change">
          <h2>
            With what you are writing: <a href={linkTo(["policies", "set", ...draft.key.split("/")])}>{draft.key}</a>
          </h2>
          <Answer question={{ ...question, resources: draft.text, prune: draft.key === WHOLE_SET }} />
        </section>
      )}
    </div>
  );
}
