/**
 * Who made which version, when and why; what one says otherwise than another; going back.
 */
import { useEffect, useState } from "preact/hooks";
import { type Difference, findDifferences } from "../../../extproc/resources/difference.ts";
import type { ListedResource } from "../../../extproc/resources/document-start.ts";
import type { Version } from "../../../extproc/store/version.ts";
import { ApiError, ask } from "../api/ask.ts";
import { useFollowed } from "../api/follow.ts";
import { mayRollBack } from "../api/service.ts";
import { Differences } from "../parts/diff.tsx";
import { go, linkTo, route } from "../shell/route.ts";
import { formatDate, plural, shortVersion } from "../text/words.ts";
import { outcome, review, startReview } from "./change.ts";
import { ReviewPanel } from "./review-panel.tsx";
import { describeCounts } from "./version-words.ts";

interface History {
  readonly sequence: number;
  readonly versions: readonly Version[];
}

export function HistoryView() {
  const { value, trouble } = useFollowed<History>("/v1/history", 5000);
  const { segments, query } = route.value;
  const history = value.value;
  if (history === undefined) return <p class="empty">{trouble.value}</p>;
  const { versions } = history;
  const chosen = versions.find(({ sequence }) => String(sequence) === segments[2]) ?? versions[0];
  if (chosen === undefined) return <p class="empty">There is no version yet.</p>;
  const against = versions.find(({ sequence }) => String(sequence) === query.get("against"));
  const other = against ?? versions[versions.indexOf(chosen) + 1];
  return (
    <div class="columns history">
      <section aria-label="Versions">
        <ol class="versions">
          {versions.map((version) => (
            <li key={version.sequence}>
              <a
                href={linkTo(["policies", "history", String(version.sequence)])}
                aria-current={version === chosen ? "true" : undefined}
              >
                <span class="mono">{shortVersion(version.sequence)}</span>
                <span class="reason">
                  <bdi>{version.reason === "" ? "no reason given" : version.reason}</bdi>
                </span>
                <span class="quiet">
                  <bdi>{version.author.name}</bdi>
                  {version.author.by === "claim" ? ", as they say" : ""} · {formatDate(version.time)}
                  {describeCounts(version)}
                </span>
              </a>
            </li>
          ))}
        </ol>
      </section>
      <section class="stack" aria-label="What it says otherwise">
        <div class="row spread">
          <h2>
            Version <span class="mono">{chosen.sequence}</span>
            {chosen === versions[0] ? ", in force" : ""}
          </h2>
          <div class="row">
            <label>
              against{" "}
              <select
                value={String(other?.sequence ?? "")}
                onChange={(event) =>
                  go(["policies", "history", String(chosen.sequence)], { against: event.currentTarget.value })
                }
              >
                {other === undefined && <option value="">nothing before</option>}
                {versions
                  .filter((version) => version !== chosen)
                  .map(({ sequence }, index) => (
                    <option key={sequence} value={String(sequence)}>
                      {shortVersion(sequence)}
                      {index === 0 && chosen !== versions[0] ? ", in force" : ""}
                    </option>
                  ))}
              </select>
            </label>
            {mayRollBack.value && chosen !== versions[0] && (
              <button
                type="button"
                onClick={() =>
                  startReview({
                    path: "/v1/rollback",
                    method: "POST",
                    query: { version: chosen.sequence },
                    ifVersion: history.sequence,
                    title: `Roll back to version ${chosen.sequence}`,
                  })
                }
              >
                Roll back to it
              </button>
            )}
          </div>
        </div>
        {chosen.restores !== undefined && <p class="quiet">It says again what version {chosen.restores} said.</p>}
        {outcome.value !== undefined && (
          <p role="status" class={outcome.value.good ? "good" : "warn"}>
            {outcome.value.text}
          </p>
        )}
        {review.value !== undefined && <ReviewPanel onApplied={() => go(["policies", "history"])} />}
        {other !== undefined && review.value === undefined && <Between old={other.sequence} fresh={chosen.sequence} />}
      </section>
    </div>
  );
}

function Between({ old, fresh }: { readonly old: number; readonly fresh: number }) {
  const [found, setFound] = useState<readonly Difference[] | string>();
  useEffect(() => {
    let current = true;
    Promise.all([resourcesOf(old), resourcesOf(fresh)]).then(
      ([before, after]) => current && setFound(findDifferences(before, after)),
      (error: unknown) => current && setFound(error instanceof ApiError ? error.message : String(error)),
    );
    return () => {
      current = false;
    };
  }, [old, fresh]);
  if (found === undefined) return null;
  if (typeof found === "string") return <p class="bad">{found}</p>;
  if (found.length === 0) return <p class="quiet">They say the same.</p>;
  return (
    <>
      <p class="quiet">
        {plural(found.length, "resource")} differ from version {old}.
      </p>
      <Differences differences={found} />
    </>
  );
}

const kept = new Map<number, readonly ListedResource[]>();

/** A version never changes. */
async function resourcesOf(sequence: number): Promise<readonly ListedResource[]> {
  const known = kept.get(sequence);
  if (known !== undefined) return known;
  const { resources } = await ask<{ resources: readonly ListedResource[] }>(`/v1/history/${sequence}`);
  kept.set(sequence, resources);
  return resources;
}
