/** The stroke of a line, beside what it stands for. */
import type { Look } from "./series.ts";

export function Swatch({ look }: { readonly look: Look }) {
  return (
    <svg class="swatch" width="22" height="8" aria-hidden="true">
      <line
        x1="0"
        y1="4"
        x2="22"
        y2="4"
        stroke-width="2.5"
        stroke-dasharray={look.dash.join(" ")}
        style={{ stroke: `var(${look.colour})` }}
      />
    </svg>
  );
}
