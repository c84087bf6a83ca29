/** How often something was there; of a long list, how much too high that may be. */
import { formatCount } from "../text/words.ts";

export function Frequency({ count, over }: { readonly count: number; readonly over: number }) {
  if (over === 0) return <>{formatCount(count)}</>;
  return <span title={`${formatCount(over)} too high at most`}>≤ {formatCount(count)}</span>;
}
