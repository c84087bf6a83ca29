/**
 * The kinds of resources, in the order in which people think of them.
 */
export const KIND_ORDER: readonly string[] = [
  "Settings",
  "Tenant",
  "ClusterDnsPolicy",
  "DnsPolicy",
  "NameList",
  "MeshSource",
  "Upstream",
];

export function compareKinds(a: string, b: string): number {
  const [one, other] = [a, b].map((kind) => (KIND_ORDER.includes(kind) ? KIND_ORDER.indexOf(kind) : KIND_ORDER.length));
  return (one ?? 0) - (other ?? 0) || a.localeCompare(b);
}
