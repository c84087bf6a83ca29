/**
 * Of which time and of whom a view tells, as its address says: `?window=1h&tenant=frontend`.
 */
import { WINDOWS, type Window } from "../../../extproc/telemetry/questions.ts";
import { withQuery } from "../api/ask.ts";
import { go, route } from "../shell/route.ts";
import { TenantChoice } from "./tenant-choice.tsx";

const USUAL: Window = "15m";
const WORDS: Readonly<Record<Window, string>> = {
  "1m": "the last minute",
  "15m": "the last 15 minutes",
  "1h": "the last hour",
  "6h": "the last 6 hours",
  "24h": "the last 24 hours",
  "7d": "the last 7 days",
};

export interface Span {
  readonly window: Window;
  /** As the API has it: empty for all, `-` for clients that are no tenant's. */
  readonly tenant: string;
}

export function useSpan(): Span {
  const { query } = route.value;
  const window = WINDOWS.find((known) => known === query.get("window")) ?? USUAL;
  return { window, tenant: query.get("tenant") ?? "" };
}

/** How often it is worth while to ask again, in milliseconds. */
export function paceOf(window: Window): number {
  return window === "1m" || window === "15m" ? 2000 : 10_000;
}

export function telemetryPath(what: string, { window, tenant }: Span, more: Readonly<Record<string, string>> = {}) {
  return withQuery(`/v1/telemetry/${what}`, { window, tenant, ...more });
}

/** The parameter of a tenant's name. */
export function tenantParameter(tenant: string): string {
  return tenant === "" ? "-" : tenant;
}

/** What stands above such a view; `trouble` is why it is not what it is now, or empty. */
export function SpanHead(props: { readonly title: string; readonly span: Span; readonly trouble: string }) {
  return (
    <>
      <div class="row spread">
        <h1>{props.title}</h1>
        <SpanChoice span={props.span} />
      </div>
      {props.trouble !== "" && (
        <p class="bad" role="status">
          {props.trouble}
        </p>
      )}
    </>
  );
}

function SpanChoice({ span }: { readonly span: Span }) {
  const choose = (change: Partial<Span>) => {
    const { window, tenant } = { ...span, ...change };
    go(route.value.segments, { ...(window === USUAL ? {} : { window }), ...(tenant === "" ? {} : { tenant }) });
  };
  return (
    <form class="row" aria-label="Of whom, and of which time">
      <TenantChoice value={span.tenant} onChoose={(tenant) => choose({ tenant })} />
      <select
        aria-label="Time"
        value={span.window}
        onChange={(event) => choose({ window: event.currentTarget.value as Window })}
      >
        {WINDOWS.map((window) => (
          <option key={window} value={window}>
            {WORDS[window]}
          </option>
        ))}
      </select>
    </form>
  );
}
