/**
 * What a record of a response policy zone says (draft-vixie-dnsop-dns-rpz): which names it is about, and what becomes
 * of them.
 */

/** Of the zone itself, and none of its policy. */
const ZONE_TYPES = new Set([
  "SOA",
  "NS",
  "DNSKEY",
  "RRSIG",
  "NSEC",
  "NSEC3",
  "NSEC3PARAM",
  "DS",
  "CDS",
  "CDNSKEY",
  "ZONEMD",
]);

/** Last labels of owners that are about anything but the name that is asked for. */
const OTHER_TRIGGERS = ["rpz-ip", "rpz-client-ip", "rpz-nsdname", "rpz-nsip"];

export const RPZ_ACTIONS = ["NXDOMAIN", "NODATA", "Pass", "Drop", "TcpOnly"] as const;
export type RpzAction = (typeof RPZ_ACTIONS)[number];

const ACTIONS: Readonly<Record<string, RpzAction>> = {
  ".": "NXDOMAIN",
  "*.": "NODATA",
  "rpz-passthru.": "Pass",
  "rpz-drop.": "Drop",
  "rpz-tcp-only.": "TcpOnly",
};

export interface RpzRecord {
  readonly owner: string;
  readonly type: string;
  readonly data: readonly string[];
}

export function isOfZone({ type }: RpzRecord): boolean {
  return ZONE_TYPES.has(type);
}

/** The owner without the zone: a name, or a wildcard. */
export function triggerOf(
  { owner }: RpzRecord,
  zone: string,
): { readonly name: string } | { readonly expected: string } {
  const suffix = `.${zone}`;
  if (!owner.endsWith(suffix)) return { expected: `expected an owner below ${zone}, got ${owner}` };
  const name = owner.slice(0, -suffix.length);
  if (name.includes("rpz-")) {
    const trigger = OTHER_TRIGGERS.find((one) => name === one || name.endsWith(`.${one}`));
    if (trigger !== undefined)
      return { expected: `expected a name as trigger, got ${trigger}, which no rule asks for` };
  }
  return { name };
}

/** Undefined: the records themselves are the answer. */
export function actionOf(name: string, { type, data: [target = ""] }: RpzRecord): RpzAction | undefined {
  if (type !== "CNAME") return undefined;
  const known = ACTIONS[target] ?? ACTIONS[target.toLowerCase()];
  // A name that is sent to itself is how exceptions were once written.
  return known ?? (target.length === name.length + 1 && target.toLowerCase() === `${name}.` ? "Pass" : undefined);
}
