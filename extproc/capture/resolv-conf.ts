/**
 * The gentler way to capture: resolv.conf(5) names Envoy as the only name server. What was there stays in the file, as
 * comments, so that it can be put back by whoever finds it, even after a crash.
 */

const KEPT = "# dnspolicy: ";
const NAMESERVER = /^\s*nameserver\s/;

/** The file with these name servers and no other; search and options stay. Done twice, it is as done once. */
export function withNameservers(text: string, addresses: readonly string[]): string {
  const lines = linesOf(withoutNameservers(text)).map((line) => (NAMESERVER.test(line) ? `${KEPT}${line}` : line));
  const ours = addresses.map((address) => `nameserver ${address}`);
  return `${[`${KEPT}what was there follows, and is put back by: dnspolicy capture remove`, ...ours, ...lines].join("\n")}\n`;
}

/** The file as it was. */
export function withoutNameservers(text: string): string {
  if (!isCaptured(text)) return text;
  const lines = linesOf(text).filter((line) => !NAMESERVER.test(line) && !line.startsWith(`${KEPT}what `));
  return `${lines.map((line) => (line.startsWith(KEPT) ? line.slice(KEPT.length) : line)).join("\n")}\n`;
}

export function isCaptured(text: string): boolean {
  return text.startsWith(KEPT);
}

/** Without the end of the last line. */
function linesOf(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}
