/**
 * What a change would do, why it is made, and the button that makes it.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Differences } from "../parts/diff.tsx";
import { Problems } from "../parts/problems.tsx";
import { apply, busy, review, startReview } from "./change.ts";

export interface ReviewPanelProps {
  readonly reason?: string | undefined;
  readonly onApplied: () => void;
}

export function ReviewPanel({ reason: usual = "", onApplied }: ReviewPanelProps) {
  const reason = useSignal(usual);
  const heading = useRef<HTMLHeadingElement>(null);
  const under = review.value;
  useEffect(() => {
    heading.current?.focus();
  }, [under?.change]);
  if (under === undefined) return null;
  const { change, outcome, refusal } = under;
  const close = () => {
    review.value = undefined;
  };
  return (
    <section class="review stack" aria-labelledby="review-title">
      <div class="row spread">
        <h2 id="review-title" tabIndex={-1} ref={heading}>
          {change.title}
        </h2>
        <button type="button" class="plain" onClick={close}>
          close
        </button>
      </div>
      {refusal !== undefined && <Refusal {...{ refusal, change }} />}
      {refusal === undefined && outcome === undefined && <p class="quiet">The service is looking at it…</p>}
      {outcome !== undefined && (
        <>
          {outcome.differences.length === 0 && <p class="quiet">It says what is in force already.</p>}
          <Problems problems={outcome.warnings} warnings />
          <Differences differences={outcome.differences} />
          <form
            class="row"
            onSubmit={async (event) => {
              event.preventDefault();
              if (await apply(change, reason.value.trim())) onApplied();
            }}
          >
            <label class="field grow">
              <span>Reason, for the history and the audit log</span>
              <input
                value={reason.value}
                maxLength={1000}
                onInput={(event) => {
                  reason.value = event.currentTarget.value;
                }}
              />
            </label>
            <button type="submit" class="main" disabled={busy.value || outcome.differences.length === 0}>
              {busy.value ? "Waiting for every worker…" : "Put in force"}
            </button>
          </form>
        </>
      )}
    </section>
  );
}

function Refusal({ refusal, change }: Required<Pick<NonNullable<typeof review.value>, "refusal" | "change">>) {
  const { status, message, problems, warnings, inForce } = refusal;
  return (
    <div role="alert" class="stack">
      <p class="bad">
        <bdi>{message}</bdi>
      </p>
      <Problems problems={problems} />
      <Problems problems={warnings} warnings />
      {status === 412 && inForce !== undefined && (
        <p>
          Somebody was faster.{" "}
          <button type="button" class="plain" onClick={() => startReview({ ...change, ifVersion: inForce.sequence })}>
            Review it against version {inForce.sequence}
          </button>
        </p>
      )}
    </div>
  );
}
