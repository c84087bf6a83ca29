/** What became of a resource: the conditions of the Gateway API in one line, and in full where one does not hold. */
import type { ObservedResource } from "../../../extproc/server/resource-status.ts";
import { shortVersion } from "../text/words.ts";

const SIGNS = { True: "✓", False: "✗", Unknown: "?" } as const;
const CLASSES = { True: "good", False: "bad", Unknown: "warn" } as const;

export function Conditions({ resource }: { readonly resource: ObservedResource }) {
  const { generation, revision, status } = resource;
  return (
    <div class="conditions">
      <ul class="row">
        {status.conditions.map(({ type, status: holds, message }) => (
          <li key={type} class={CLASSES[holds]} title={message}>
            <span aria-hidden="true">{SIGNS[holds]} </span>
            {type}
            <span class="unseen">: {holds}</span>
          </li>
        ))}
        <li class="quiet">generation {generation}</li>
        {revision > 0 && <li class="quiet">since version {shortVersion(revision)}</li>}
      </ul>
      {status.conditions
        .filter(({ status: holds }) => holds !== "True")
        .map(({ type, reason, message }) => (
          <p key={type} class="warn">
            {type}: {reason}, <bdi>{message}</bdi>
          </p>
        ))}
    </div>
  );
}
