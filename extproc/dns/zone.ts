/**
 * The zone that a name counts for where names are too many to show: a guess, since nothing of it is looked up.
 */

/** Labels of a name in wire format, one character an octet: where each begins. */
function labelStarts(name: string): number[] {
  const starts: number[] = [];
  for (let at = 0; at < name.length; ) {
    const length = name.charCodeAt(at);
    if (length === 0) break;
    starts.push(at);
    at += length + 1;
  }
  return starts;
}

/**
 * The last two labels; three below what looks like a country's second level (co.uk); of a Service of Kubernetes, its
 * namespace.
 */
export function zoneOf(name: string): string {
  const starts = labelStarts(name);
  const labels = starts.length;
  const at = (fromEnd: number) => name.slice(starts[labels - fromEnd] ?? 0);
  const lengthOf = (fromEnd: number) => name.charCodeAt(starts[labels - fromEnd] ?? 0);
  if (labels >= 4 && at(3).startsWith("\x03svc")) return at(4);
  if (labels >= 3 && lengthOf(1) === 2 && lengthOf(2) <= 3) return at(3);
  return at(Math.min(2, labels));
}
