/**
 * The line on top: the views, the policy in force and who obeys it, who one is, light or dark.
 */

import { signOut, token } from "../api/ask.ts";
import { caller, status } from "../api/service.ts";
import { plural, shortVersion } from "../text/words.ts";
import { linkTo } from "./route.ts";
import { nextTheme, theme } from "./theme.ts";
import { VIEWS } from "./views.ts";

export function Masthead({ view }: { readonly view: string }) {
  return (
    <header class="masthead">
      <span class="wordmark" aria-hidden="true">
        dnspolicy<b>.</b>
      </span>
      <nav aria-label="Views">
        {VIEWS.map(({ id, title }, index) => (
          <a key={id} href={linkTo([id])} aria-current={id === view ? "page" : undefined} data-key={index + 1}>
            {title}
          </a>
        ))}
      </nav>
      <InForce />
      <Who />
      <button type="button" class="plain" onClick={nextTheme} title="Light, dark, or as the system has it">
        <span class="unseen">Colours: </span>
        {theme.value}
      </button>
    </header>
  );
}

function InForce() {
  const now = status.value.value;
  const trouble = status.trouble.value;
  if (trouble !== "") {
    return (
      <p class="in-force bad" role="status">
        {trouble}
      </p>
    );
  }
  if (now === undefined) return <p class="in-force" role="status" />;
  const { behind, connected } = now.workers;
  const obeyed =
    behind.length > 0
      ? `${plural(behind.length, "worker")} behind`
      : `${plural(connected, "worker")} ${connected === 1 ? "obeys" : "obey"}`;
  return (
    <p class="in-force" role="status">
      <a href={linkTo(["policies", "history"])} title={`Version ${now.sequence}, hash ${now.hash}`}>
        version <span class="mono">{shortVersion(now.sequence)}</span>
      </a>
      <a href={linkTo(["upstreams"])} class={behind.length > 0 || connected === 0 ? "bad" : ""}>
        {connected === 0 && behind.length === 0 ? "no worker is connected" : obeyed}
      </a>
    </p>
  );
}

function Who() {
  const who = caller.value;
  if (who === undefined) return null;
  const name = who.name === "" ? "" : `${who.name}, `;
  return (
    <p class="who">
      <bdi>
        {name}
        {who.role}
        {who.tenant === undefined ? "" : ` of ${who.tenant}`}
      </bdi>
      {token.value !== "" && (
        <button type="button" class="plain" onClick={signOut}>
          sign out
        </button>
      )}
    </p>
  );
}
