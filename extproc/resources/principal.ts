/**
 * Patterns of SPIFFE IDs (the URI SAN of a workload's certificate): `*` stands for one whole path segment.
 *
 * Whole segments only, so that of two patterns that match one ID one is always the more specific: the one that has
 * a literal where the other, at the first difference from the left, has `*`.
 */

/** SPIFFE-ID specification, section 2.4. */
const MAX_ID = 2048;
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

export class PrincipalPattern {
  readonly text: string;
  /** Trust domain first; `*` is the wildcard, which no literal segment can be. */
  readonly segments: readonly string[];

  constructor(text: string, segments: readonly string[]) {
    this.text = text;
    this.segments = segments;
  }

  toJSON(): string {
    return this.text;
  }
}

/** The pattern, or what was expected instead. */
export function parsePrincipal(text: string): PrincipalPattern | string {
  const prefix = "spiffe://";
  if (!text.startsWith(prefix)) return "a SPIFFE ID as spiffe://trust.domain/ns/web/sa/*";
  if (text.length > MAX_ID) return `a SPIFFE ID of at most ${MAX_ID} octets`;
  const segments = text.slice(prefix.length).split("/");
  const [domain, ...path] = segments;
  if (domain === undefined || !TRUST_DOMAIN.test(domain)) {
    return "a trust domain of lower-case letters, digits, dots, dashes and underscores";
  }
  for (const segment of path) {
    if (segment === "*") continue;
    if (segment.includes("*")) return 'a "*" only in place of a whole path segment';
    if (segment === "" || segment === "." || segment === "..") return "no empty and no relative path segment";
    if (!SEGMENT.test(segment)) return "path segments of letters, digits, dots, dashes and underscores";
  }
  return new PrincipalPattern(text, segments);
}
