/** The resources by kind, with what one wants to know before opening them. */
import { useSignal } from "@preact/signals";
import type { ObservedResource } from "../../../extproc/server/resource-status.ts";
import { mayEdit, resources } from "../api/service.ts";
import { linkTo } from "../shell/route.ts";
import { formatCompact } from "../text/words.ts";
import { drafts, keyOf, NEW, WHOLE_SET } from "./drafts.ts";
import { findingsOf } from "./findings.ts";
import { compareKinds } from "./kinds.ts";
import type { RuleNotes } from "./rule-gutter.ts";

export function ResourceList({ selected, notes }: { readonly selected: string; readonly notes: RuleNotes }) {
  const filter = useSignal("");
  const all = (resources.value?.resources ?? []).filter((resource) =>
    keyOf(resource).toLowerCase().includes(filter.value.toLowerCase()),
  );
  const kinds = [...new Set(all.map(({ kind }) => kind))].sort(compareKinds);
  const hits = hitsByPolicy(notes);
  return (
    <nav class="resources stack" aria-label="Resources">
      <input
        type="search"
        data-filter
        placeholder="Filter"
        aria-label="Filter resources"
        value={filter.value}
        onInput={(event) => {
          filter.value = event.currentTarget.value;
        }}
      />
      <ul>
        <Entry
          href={linkTo(["policies", "set", WHOLE_SET])}
          current={selected === WHOLE_SET}
          edited={WHOLE_SET in drafts.value}
        >
          The whole set
        </Entry>
        {mayEdit.value && (
          <Entry href={linkTo(["policies", "set", NEW])} current={selected === NEW} edited={NEW in drafts.value}>
            New…
          </Entry>
        )}
      </ul>
      {kinds.map((kind) => (
        <div key={kind}>
          <h2 class="label">{kind}</h2>
          <ul>
            {all
              .filter((resource) => resource.kind === kind)
              .map((resource) => {
                const key = keyOf(resource);
                const count = hits.get(resource.name);
                return (
                  <Entry
                    key={key}
                    href={linkTo(["policies", "set", resource.kind, resource.name])}
                    current={selected === key}
                    edited={key in drafts.value}
                    pending={isPending(resource)}
                    doubtful={findingsOf(key).some(({ severity }) => severity === "warning")}
                    count={kind.endsWith("DnsPolicy") ? count : undefined}
                  >
                    <span class="mono">{resource.name}</span>
                  </Entry>
                );
              })}
          </ul>
        </div>
      ))}
    </nav>
  );
}

interface EntryProps {
  readonly href: string;
  readonly current: boolean;
  readonly edited: boolean;
  readonly pending?: boolean;
  /** Something in it deserves a second look. */
  readonly doubtful?: boolean;
  readonly count?: number | undefined;
  readonly children: preact.ComponentChildren;
}

function Entry({ href, current, edited, pending = false, doubtful = false, count, children }: EntryProps) {
  return (
    <li>
      <a href={href} aria-current={current ? "true" : undefined}>
        {children}
        {edited && <span class="warn"> edited</span>}
        {pending && <span class="bad"> not programmed</span>}
        {doubtful && (
          <span class="warn" title="Something in it deserves a second look">
            !<span class="unseen"> worth a second look</span>
          </span>
        )}
        {count !== undefined && (
          <span class="count" title="Queries that its rules decided">
            {formatCompact(count)}
          </span>
        )}
      </a>
    </li>
  );
}

function isPending({ status }: ObservedResource): boolean {
  return status.conditions.some(({ status: holds }) => holds === "False");
}

function hitsByPolicy(notes: RuleNotes): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const [rule, { hits, audited }] of notes ?? []) {
    const policy = rule.slice(0, rule.indexOf("/"));
    sums.set(policy, (sums.get(policy) ?? 0) + hits + audited);
  }
  return sums;
}
