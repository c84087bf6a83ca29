/**
 * Thousands of queries, newest first, of which only those in sight are in the document.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Name } from "../parts/name.tsx";
import { formatLatency, nameTenant } from "../text/words.ts";
import type { ListedQueries, ListedQuery } from "./listed-queries.ts";
import { formatWhen, nameRule, toneOf, VERDICTS } from "./query-words.ts";

/** Pixels; the style sheet has the same. */
const ROW = 26;
/** Rows beyond what is in sight, so that scrolling shows no gap. */
const BEYOND = 8;

export interface QueryListProps {
  readonly live: ListedQueries;
  readonly chosen: ListedQuery | undefined;
  /** By its place: 0 is the newest. */
  readonly onChoose: (place: number) => void;
  /** So many places on, or back. */
  readonly onStep: (places: number) => void;
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 20,
  PageUp: -20,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

export function QueryList({ live, chosen, onChoose, onStep }: QueryListProps) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  void live.changes.value;
  const paused = live.paused.value;
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    // What is new is on top.
    if (!paused) box.current?.scrollTo({ top: 0 });
  }, [paused]);
  useEffect(() => {
    const place = chosen === undefined ? -1 : live.placeOf(chosen);
    const element = box.current;
    if (place < 0 || element === null) return;
    const [from, to] = [place * ROW, (place + 1) * ROW];
    // The heads take a row's room of what is in sight.
    const room = element.clientHeight - ROW;
    if (from < element.scrollTop) element.scrollTop = from;
    else if (to > element.scrollTop + room) element.scrollTop = to - room;
  }, [chosen]);

  const first = Math.max(0, Math.floor(top.value / ROW) - BEYOND);
  const end = Math.min(live.count, Math.ceil((top.value + height.value) / ROW) + BEYOND);
  const rows: preact.JSX.Element[] = [];
  for (let place = first; place < end; place++) {
    const query = live.at(place);
    // By their places, whatever is there: ten times a second all are others, and elements are dearer than their texts.
    if (query !== undefined) rows.push(<Row key={place} {...{ query, place, live, chosen }} />);
  }
  const active = chosen !== undefined && live.placeOf(chosen) >= 0 ? idOf(chosen) : undefined;
  return (
    <div class="queries">
      <div
        ref={box}
        class="scroller"
        role="listbox"
        aria-label="Queries, newest first"
        tabIndex={0}
        aria-activedescendant={active}
        // Not on a click, which is none where the row has moved on between down and up.
        onMouseDown={({ target, button }) => {
          if (button !== 0) return;
          const place = target instanceof Element ? target.closest("[data-place]")?.getAttribute("data-place") : null;
          if (place) onChoose(Number(place));
        }}
        onKeyDown={(event) => {
          const places = STEPS[event.key];
          if (places === undefined) return;
          event.preventDefault();
          onStep(places);
        }}
        onScroll={({ currentTarget }) => {
          top.value = currentTarget.scrollTop;
          // Whoever scrolls away from what is new wants to read.
          if (currentTarget.scrollTop > ROW) live.pause();
        }}
      >
        <div class="query heads" aria-hidden="true">
          <span>Time</span>
          <span class="wide-only">Tenant</span>
          <span class="wide-only">Client</span>
          <span>Name</span>
          <span>Type</span>
          <span>Verdict</span>
          <span class="wide-only">Rule</span>
          <span class="number">Latency</span>
        </div>
        <div role="presentation" class="track" style={{ height: `${live.count * ROW}px` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}

interface RowProps extends Pick<QueryListProps, "live" | "chosen"> {
  readonly query: ListedQuery;
  readonly place: number;
}

function Row({ query, place, live, chosen }: RowProps) {
  const { time, tenant, client, qname, qtype, outcome, latency_us, audit } = query;
  return (
    <div
      id={idOf(query)}
      class={`query ${toneOf(query)}`}
      role="option"
      tabIndex={-1}
      aria-selected={chosen?.number === query.number}
      aria-posinset={place + 1}
      aria-setsize={live.count}
      style={{ transform: `translateY(${place * ROW}px)` }}
      data-place={place}
    >
      <span class="mono">{formatWhen(time)}</span>
      <bdi class="wide-only">{nameTenant(tenant)}</bdi>
      <span class="mono wide-only">{client}</span>
      <Name name={qname} />
      <span class="mono">{qtype}</span>
      <span class="outcome">
        {VERDICTS[outcome] ?? outcome}
        {audit !== undefined && <span class="warn"> on trial</span>}
      </span>
      <span class="mono wide-only">{nameRule(query)}</span>
      <span class="number">{formatLatency(latency_us / 1000)}</span>
    </div>
  );
}

function idOf({ number }: ListedQuery): string {
  return `query-${number}`;
}
