/**
 * The stream of queries, or those of the past: filtered, paused, and one of them looked into.
 */
import "../style/explain.css";
import "../style/live.css";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { OUTCOMES } from "../../../extproc/telemetry/labels.ts";
import type { QueryFilter } from "../../../extproc/telemetry/questions.ts";
import { TenantChoice } from "../parts/tenant-choice.tsx";
import { isCommand } from "../shell/command-key.ts";
import { go, type Route, route } from "../shell/route.ts";
import { formatCount, formatRate } from "../text/words.ts";
import type { ListedQuery } from "./listed-queries.ts";
import { LiveQueries } from "./live-queries.ts";
import { PastQueries } from "./past-queries.ts";
import { QueryList } from "./query-list.tsx";
import { VERDICTS } from "./query-words.ts";
import { Story } from "./story.tsx";

const FIELDS = ["tenant", "verdict", "name", "client", "type", "rule"] as const;
type Field = (typeof FIELDS)[number];
type Filter = Readonly<Partial<Record<Field, string>>>;
/** How far back one looks, as the API takes it; nothing for queries as they come. */
const TIMES: readonly (readonly [since: string, words: string])[] = [
  ["", "as they come"],
  ["15m", "of the last 15 minutes"],
  ["1h", "of the last hour"],
  ["24h", "of the last 24 hours"],
  ["7d", "of the last 7 days"],
  ["3650d", "of all times"],
];
/** Of somebody who still writes. */
const WRITING_MS = 350;

function filterOf({ query }: Route): Filter {
  const given = FIELDS.map((field) => [field, query.get(field) ?? ""] as const).filter(([, value]) => value !== "");
  return Object.fromEntries(given);
}

export function LiveView() {
  const filter = filterOf(route.value);
  const since = route.value.query.get("since") ?? "";
  const wanted = JSON.stringify([filter, since]);
  const live = useMemo(() => queriesOf(filter, since), [wanted]);
  const chosen = useSignal<ListedQuery | undefined>(undefined);
  useEffect(() => {
    chosen.value = undefined;
    return () => live.close();
  }, [live]);

  const close = () => {
    chosen.value = undefined;
  };
  const choose = (place: number) => {
    live.pause();
    chosen.value = live.at(place);
  };
  const step = (places: number) => {
    const now = chosen.peek();
    const place = now === undefined ? -1 : live.placeOf(now);
    choose(Math.min(live.count - 1, Math.max(0, place + places)));
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!isCommand(event)) return;
      if (event.key === "j") step(1);
      else if (event.key === "k") step(-1);
      else if (event.key === "p" && live instanceof LiveQueries) turn(live);
      else if (event.key === "Escape") close();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [live]);

  return (
    <div class="stack live">
      <h1 class="unseen">Live</h1>
      <FilterForm filter={filter} />
      {live instanceof LiveQueries ? <State live={live} /> : <PastState past={live} />}
      <div class={chosen.value === undefined ? "" : "columns looked-into"}>
        {live.count === 0 && live.changes.value === 0 ? (
          <p class="empty">{since === "" ? "Queries that fit show here as they come." : ""}</p>
        ) : (
          <QueryList live={live} chosen={chosen.value} onChoose={choose} onStep={step} />
        )}
        {chosen.value !== undefined && <Story key={chosen.value.number} query={chosen.value} onClose={close} />}
      </div>
    </div>
  );
}

function queriesOf(filter: QueryFilter, since: string): LiveQueries | PastQueries {
  return since === "" ? new LiveQueries(filter) : new PastQueries(filter, since);
}

function turn(live: LiveQueries): void {
  if (live.paused.peek()) live.resume();
  else live.pause();
}

/** What was kept of them, which is what the query log has. */
function PastState({ past }: { readonly past: PastQueries }) {
  void past.changes.value;
  const more = past.hasMore.value;
  return (
    <div class="row">
      <button type="button" disabled={!more || past.asking.value} onClick={() => void past.more()}>
        Older ones
      </button>
      <p class="quiet" aria-live="polite">
        {past.asking.value ? "" : `${formatCount(past.count)} ${more ? "so far" : "in all"}`}
      </p>
      <p class="bad" role="status">
        <bdi>{past.trouble.value}</bdi>
      </p>
    </div>
  );
}

function State({ live }: { readonly live: LiveQueries }) {
  const paused = live.paused.value;
  return (
    <div class="row">
      <button type="button" aria-pressed={paused} onClick={() => turn(live)}>
        {paused ? "Go on" : "Pause"}
      </button>
      <p class="quiet">
        {paused ? `${formatCount(live.newer.value)} newer` : live.connected.value ? formatRate(live.rate.value) : ""}
      </p>
      {live.lost.value > 0 && <p class="warn">{formatCount(live.lost.value)} left out: there were too many</p>}
      <p class="bad" role="status">
        <bdi>{live.trouble.value}</bdi>
      </p>
    </div>
  );
}

function FilterForm({ filter }: { readonly filter: Filter }) {
  const [timers] = useState(() => new Map<Field, ReturnType<typeof setTimeout>>());
  const set = (field: Field | "since", value: string) => {
    const { query } = route.peek();
    const since = query.get("since") ?? "";
    const { [field]: _, ...others } = { ...filterOf(route.peek()), ...(since === "" ? {} : { since }) };
    go(["live"], value === "" ? others : { ...others, [field]: value });
  };
  const write = (field: Field) => (event: { readonly currentTarget: HTMLInputElement }) => {
    const value = event.currentTarget.value.trim();
    clearTimeout(timers.get(field));
    timers.set(
      field,
      setTimeout(() => set(field, value), WRITING_MS),
    );
  };
  const text = (field: Field, label: string, placeholder: string, className: string) => (
    <label class="field">
      <span>{label}</span>
      <input
        class={`mono ${className}`}
        type="search"
        value={filter[field] ?? ""}
        placeholder={placeholder}
        onInput={write(field)}
        data-filter={field === "name" ? "" : undefined}
      />
    </label>
  );
  return (
    <form class="question" aria-label="Which queries" onSubmit={(event) => event.preventDefault()}>
      <TenantChoice value={filter.tenant ?? ""} onChoose={(tenant) => set("tenant", tenant)} />
      <select
        aria-label="Verdict"
        value={filter.verdict ?? ""}
        onChange={(event) => set("verdict", event.currentTarget.value)}
      >
        <option value="">all verdicts</option>
        {OUTCOMES.map((outcome) => (
          <option key={outcome} value={outcome}>
            {VERDICTS[outcome] ?? outcome}
          </option>
        ))}
      </select>
      {text("name", "Name", "*.example.com", "wide")}
      {text("client", "Client", "10.0.0.0/8", "")}
      {text("type", "Type", "A", "short")}
      {text("rule", "Rule", "policy/rule", "")}
      <select
        aria-label="When"
        value={route.value.query.get("since") ?? ""}
        onChange={(event) => set("since", event.currentTarget.value)}
      >
        {TIMES.map(([since, words]) => (
          <option key={since} value={since}>
            {words}
          </option>
        ))}
      </select>
    </form>
  );
}
