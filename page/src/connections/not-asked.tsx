/** Why there is nothing to see, and what it would take. */
import { parseDocument } from "yaml";
import { mayEdit, resources } from "../api/service.ts";
import { keyOf, NEW, setDraft } from "../policies/drafts.ts";
import { go } from "../shell/route.ts";

const ASKED_FOR = `apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: { name: default }
spec:
  connections: { mode: Audit, grace: 30s }
`;

export function NotAsked() {
  const settings = (resources.value?.resources ?? []).find(({ kind }) => kind === "Settings");
  if (settings !== undefined && parseDocument(settings.text).hasIn(["spec", "connections"])) {
    return <p class="empty">No Envoy has asked about a connection in this time.</p>;
  }
  const write = () => {
    if (settings === undefined) setDraft(NEW, ASKED_FOR, "to see where connections go");
    go(["policies", "set", ...(settings === undefined ? [NEW] : keyOf(settings).split("/"))]);
  };
  return (
    <div class="empty stack">
      <p>
        Nobody asks whether connections may be opened. Where an Envoy’s egress listener does, a workload gets no further
        than its DNS has led it: to addresses that its own answers had, within their TTL. With these settings the
        service looks at them, and refuses none yet:
      </p>
      <pre class="mono">{ASKED_FOR}</pre>
      {mayEdit.value && (
        <p>
          <button type="button" onClick={write}>
            To the editor
          </button>
        </p>
      )}
    </div>
  );
}
