/** The most frequent names or clients, each with a way to its queries as they come. */
import type { Top, TopItem, TopKind } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { Frequency } from "../parts/frequency.tsx";
import { Name } from "../parts/name.tsx";
import { paceOf, type Span, telemetryPath } from "../parts/span.tsx";
import { linkTo } from "../shell/route.ts";

const SHOWN = "12";

export interface TopListProps {
  readonly kind: TopKind;
  readonly title: string;
  readonly span: Span;
  /** What Live shows of one beside it. */
  readonly filter?: Readonly<Record<string, string>>;
}

export function TopList({ kind, title, span, filter = {} }: TopListProps) {
  const { value } = useFollowed<Top>(telemetryPath("top", span, { kind, limit: SHOWN }), paceOf(span.window));
  const items = (value.value?.items ?? []).filter(isCertain);
  const most = items[0]?.count ?? 1;
  const field = kind === "clients" ? "client" : "name";
  const whose = span.tenant === "" ? {} : { tenant: span.tenant };
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {items.length === 0 && <p class="quiet">none</p>}
      <ol class="top">
        {items.map(({ key, count, over }) => (
          <li key={key}>
            <a href={linkTo(["live"], { ...filter, ...whose, [field]: key })}>
              {kind === "clients" ? <span class="mono">{key}</span> : <Name name={key} />}
            </a>
            <span class="number">
              <Frequency count={count} over={over} />
            </span>
            <span class="bar" aria-hidden="true" style={{ width: `${(count / most) * 100}%` }} />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Of a long tail, the list keeps anything: what may be there by chance is no news. */
function isCertain({ count, over }: TopItem): boolean {
  return over * 2 <= count;
}
