/** The last versions of the policy: who, when, why. */
import type { Version } from "../../../extproc/store/version.ts";
import { useFollowed } from "../api/follow.ts";
import { describeCounts } from "../policies/version-words.ts";
import { linkTo } from "../shell/route.ts";
import { formatDate, shortVersion } from "../text/words.ts";

const SHOWN = 6;

export function Lately() {
  const { value, trouble } = useFollowed<{ readonly versions: readonly Version[] }>("/v1/history", 5000);
  return (
    <section aria-label="What changed lately">
      <h2>What changed lately</h2>
      {value.value === undefined && <p class="quiet">{trouble.value}</p>}
      <ol class="lately">
        {value.value?.versions.slice(0, SHOWN).map(({ sequence, author, reason, time, ...version }) => (
          <li key={sequence}>
            <a class="mono" href={linkTo(["policies", "history", String(sequence)])} title={`Version ${sequence}`}>
              {shortVersion(sequence)}
            </a>
            <span>
              <bdi>{reason === "" ? "no reason given" : reason}</bdi>{" "}
              <span class="quiet">
                <bdi>{author.name}</bdi>, {formatDate(time)}
                {describeCounts(version)}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
