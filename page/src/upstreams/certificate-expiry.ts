/**
 * Until when certificates are valid (RFC 5280, section 4.1): of what is written in an Upstream, the page has the text.
 */
const SEQUENCE = 0x30;
const VERSION = 0xa0;
const UTC_TIME = 0x17;

/** Of each certificate in PEM that can be read. */
export function expiriesIn(pem: string): Date[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/g);
  return [...blocks].flatMap(([, base64 = ""]) => {
    try {
      return expiryOf(Uint8Array.from(atob(base64.replace(/\s/g, "")), (character) => character.charCodeAt(0))) ?? [];
    } catch {
      return [];
    }
  });
}

interface Element {
  readonly tag: number;
  readonly from: number;
  readonly to: number;
}

function expiryOf(der: Uint8Array): Date | undefined {
  const certificate = elementAt(der, 0);
  const signed = elementAt(der, certificate.from);
  if (certificate.tag !== SEQUENCE || signed.tag !== SEQUENCE) return undefined;
  const fields = elementsIn(der, signed);
  // Serial number, algorithm, issuer, validity; behind the version, where there is one.
  const validity = fields[fields[0]?.tag === VERSION ? 4 : 3];
  const notAfter = validity && elementsIn(der, validity)[1];
  return notAfter && readTime(notAfter.tag, String.fromCharCode(...der.subarray(notAfter.from, notAfter.to)));
}

function elementsIn(der: Uint8Array, { from, to }: Element): Element[] {
  const elements: Element[] = [];
  for (let at = from; at < to; at = elements.at(-1)?.to ?? to) elements.push(elementAt(der, at));
  return elements;
}

function elementAt(der: Uint8Array, at: number): Element {
  const length = der[at + 1] ?? 0;
  const more = length > 0x7f ? length & 0x7f : 0;
  let size = more === 0 ? length : 0;
  for (let index = 0; index < more; index++) size = size * 256 + (der[at + 2 + index] ?? 0);
  const from = at + 2 + more;
  return { tag: der[at] ?? 0, from, to: from + size };
}

/** UTCTime has two digits of the year, of 1950 to 2049 (RFC 5280, section 4.1.2.5.1). */
function readTime(tag: number, text: string): Date | undefined {
  const century = tag === UTC_TIME ? (Number(text.slice(0, 2)) < 50 ? "20" : "19") : "";
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text);
  if (parts === null) return undefined;
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number);
  return new Date(Date.UTC(year, month - 1, ...rest));
}
