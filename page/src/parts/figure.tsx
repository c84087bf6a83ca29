import { formatShare } from "../text/words.ts";

/** A sum that one looks at first, with what it is of. */
export interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly more: string;
  /** Against the time before. */
  readonly than?: string;
  /** As `bad` or `warn`. */
  readonly tone?: string;
}

export function Figure({ name, value, more, than = "", tone = "" }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>{value}</dd>
      <dd class="quiet">{more}</dd>
      {than !== "" && <dd class="quiet">{than}</dd>}
    </div>
  );
}

export function shareOf(part: number, whole: number): string {
  return whole === 0 ? "" : formatShare(part / whole);
}
