/**
 * Rules in mode Audit: what they would have done, and the change that has them do it.
 */
import { useSignal } from "@preact/signals";
import type { Difference } from "../../../extproc/resources/difference.ts";
import type { ApplyDescription } from "../../../extproc/server/admin/status.ts";
import type { ObservedResource } from "../../../extproc/server/resource-status.ts";
import type { RuleHits, Rules } from "../../../extproc/telemetry/questions.ts";
import { ApiError, ask } from "../api/ask.ts";
import { useFollowed } from "../api/follow.ts";
import { resources } from "../api/service.ts";
import { Differences } from "../parts/diff.tsx";
import { PolicyLink } from "../parts/policy-link.tsx";
import { Problems } from "../parts/problems.tsx";
import { type Span, telemetryPath } from "../parts/span.tsx";
import { keyOf, setDraft } from "../policies/drafts.ts";
import { go } from "../shell/route.ts";
import { formatDate, plural } from "../text/words.ts";
import { enforceRule, isWholeOnTrial } from "./enforce.ts";

interface Trial extends RuleHits {
  readonly resource: ObservedResource;
  /** The policy's text with the rule in earnest. */
  readonly enforced: string;
}

export function OnTrial({ span }: { readonly span: Span }) {
  const { value } = useFollowed<Rules>(telemetryPath("rules", span), 5000);
  const trials = (value.value?.rules ?? []).flatMap(trialOf);
  return (
    <section class="stack" aria-label="On trial">
      <h2>On trial</h2>
      {trials.length === 0 && (
        <p class="quiet">No rule in mode Audit has met a query since {formatDate(value.value?.since)}.</p>
      )}
      {trials.map((trial) => (
        <OneTrial key={`${keyOf(trial.resource)}/${trial.rule}`} trial={trial} />
      ))}
    </section>
  );
}

function trialOf(hits: RuleHits): Trial[] {
  if (hits.audited === 0) return [];
  return (resources.value?.resources ?? []).flatMap((resource) => {
    if (resource.name !== hits.policy || !resource.kind.endsWith("DnsPolicy")) return [];
    const enforced = enforceRule(resource.text, hits.rule);
    return enforced === undefined ? [] : [{ ...hits, resource, enforced }];
  });
}

function OneTrial({ trial }: { readonly trial: Trial }) {
  const { policy, rule, audited, last, resource, enforced } = trial;
  const would = useSignal<ApplyDescription | ApiError | undefined>(undefined);
  const show = async () => {
    try {
      const query = { dryRun: true };
      would.value = await ask<ApplyDescription>("/v1/resources", { method: "PUT", yaml: enforced, query });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      would.value = error;
    }
  };
  const edit = () => {
    const reason = `${policy}/${rule} in earnest: on trial it met ${plural(audited, "query", "queries")}`;
    setDraft(keyOf(resource), enforced, reason);
    go(["policies", "set", resource.kind, resource.name]);
  };
  return (
    <div class="stack trial">
      <p class="row">
        <PolicyLink policy={policy} rule={rule} />
        <span class="warn">would have decided {plural(audited, "query", "queries")}</span>
        <span class="quiet">the last one {formatDate(last)}</span>
        <button type="button" onClick={show}>
          Show what enforces it
        </button>
      </p>
      {would.value instanceof ApiError && (
        <div role="alert">
          <p class="bad">
            <bdi>{would.value.message}</bdi>
          </p>
          <Problems problems={would.value.problems} />
        </div>
      )}
      {would.value !== undefined && !(would.value instanceof ApiError) && (
        <Enforcing differences={would.value.differences} whole={isWholeOnTrial(resource.text)} onEdit={edit} />
      )}
    </div>
  );
}

interface EnforcingProps {
  readonly differences: readonly Difference[];
  readonly whole: boolean;
  readonly onEdit: () => void;
}

function Enforcing({ differences, whole, onEdit }: EnforcingProps) {
  return (
    <section class="stack" aria-label="What enforces it">
      <Differences differences={differences} />
      {whole && <p class="warn">The whole policy is on trial: its other rules come in force with it.</p>}
      <p>
        <button type="button" class="main" onClick={onEdit}>
          Open it in the editor
        </button>
      </p>
    </section>
  );
}
