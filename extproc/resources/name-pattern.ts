/**
 * Names and patterns of names, from the presentation format that people write (RFC 1035 section 5.1, RFC 4343). Labels in other
 * scripts than ASCII become what the DNS has for them.
 *
 * `*.x` is every name of one or more labels below x, and not x itself, as in network-policy-api; `**.x` says the
 * same for those who come from Cilium; `*` alone is every name. Everything else is one name.
 */

import { canonicalLabels, toALabel } from "../dns/international.ts";
import { MAX_LABEL, MAX_NAME, wireLength, wireName } from "../dns/names.ts";

/** Characters that stand for themselves; `/` because RFC 2317 puts it into reverse zones. */
const PLAIN = /[A-Za-z0-9_/-]/;

/** What names in other scripts are written in, and what RFC 5892 (appendix A) has between letters of some. */
const INTERNATIONAL = /[\p{L}\p{M}\p{Nd}\u00b7\u0375\u05f3\u05f4\u30fb\u200c\u200d]/u;

/** Inside of a class of characters: dashes that only look like "-". */
export const FALSE_DASHES = "\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d";
const FALSE_DASH = new RegExp(`[${FALSE_DASHES}]`);

export type PatternExtent = "exact" | "below" | "every";

export class NamePattern {
  /** Of the name, or of the base below which the pattern matches; leftmost first, in lower case. */
  readonly labels: readonly Uint8Array[];
  readonly extent: PatternExtent;
  /** Canonical presentation format, without a trailing dot (but `.` for the root). */
  readonly text: string;

  constructor(labels: readonly Uint8Array[], extent: PatternExtent) {
    this.labels = labels;
    this.extent = extent;
    const base = labels.map(presentLabel).join(".");
    this.text = extent === "every" ? "*" : extent === "below" ? `*.${base}` : base === "" ? "." : base;
  }

  /** The name, or the base, in wire format (RFC 1035 section 3.1). */
  get wire(): Uint8Array {
    return wireName(this.labels);
  }

  /** As questions are judged: octets that are a U-label, which only escapes can say, are its A-label. */
  get canonical(): NamePattern {
    const isAscii = this.labels.every((label) => label.every((octet) => octet < 0x80));
    return isAscii ? this : new NamePattern(canonicalLabels(this.labels), this.extent);
  }

  /** Whether every name that it matches is this one or below it. */
  isWithin(base: NamePattern): boolean {
    return base.labels.length === 0 || `.${this.text.replace(/^\*\.?/, "")}`.endsWith(`.${base.text}`);
  }

  toJSON(): string {
    return this.text;
  }
}

/** Why a text is no name; `at` counts characters from 1. */
export class NameSyntaxError extends Error {
  override readonly name = "NameSyntaxError";
}

/** Canonical. */
export function parsePattern(text: string): NamePattern {
  const wildcard = /^\*{1,2}(\.|$)/.exec(text);
  if (wildcard === null) return parseName(text).canonical;
  const base = text.slice(wildcard[0].length);
  if (base === "") return new NamePattern([], "every");
  const labels = parseLabels(text, wildcard[0].length);
  // At least one label of one octet has to fit in front.
  if (wireLength(labels) > MAX_NAME - 2) {
    throw new NameSyntaxError(
      `a base of at most ${MAX_NAME - 2} octets, got ${wireLength(labels)}: no name fits below it`,
    );
  }
  return new NamePattern(labels, "below").canonical;
}

/** Octets that are written as escapes stay what they are. */
export function parseName(text: string): NamePattern {
  const labels = text === "." ? [] : parseLabels(text, 0);
  const length = wireLength(labels);
  if (length > MAX_NAME) throw new NameSyntaxError(`a name of at most ${MAX_NAME} octets, got ${length}`);
  return new NamePattern(labels, "exact");
}

/** Of formats whose owners have names in ASCII alone. */
export function refuseInternational(text: string): void {
  const position = [...text].findIndex((character) => character >= "\u0080");
  if (position >= 0) throw new NameSyntaxError(refuseCharacter([...text][position] ?? "", position));
}

function parseLabels(text: string, start: number): Uint8Array[] {
  const labels: Uint8Array[] = [];
  let label: number[] = [];
  let position = start;
  let labelStart = start;
  let international = false;
  const endLabel = () => {
    if (international) label = readInternational(text, labelStart, position);
    if (label.length === 0) throw new NameSyntaxError(`no empty label, got one at character ${position + 1}`);
    if (label.length > MAX_LABEL) {
      throw new NameSyntaxError(
        `labels of at most ${MAX_LABEL} octets, got ${label.length} before character ${position + 1}`,
      );
    }
    labels.push(Uint8Array.from(label));
    label = [];
    labelStart = position + 1;
    international = false;
  };
  if (text === "") throw new NameSyntaxError("a name, got an empty text");
  while (position < text.length) {
    const character = String.fromCodePoint(text.codePointAt(position) ?? 0);
    if (character === ".") {
      endLabel();
      position += 1;
      if (position === text.length) return labels;
    } else if (character === "\\") {
      const [octet, length] = parseEscape(text, position);
      label.push(octet);
      position += length;
    } else if (PLAIN.test(character)) {
      label.push(character.toLowerCase().charCodeAt(0));
      position += 1;
    } else if (character >= "\u0080" && INTERNATIONAL.test(character)) {
      international = true;
      position += character.length;
    } else {
      throw new NameSyntaxError(refuseCharacter(character, position));
    }
  }
  endLabel();
  return labels;
}

/** Positions are of characters of UTF-16, as editors mostly count them. */
function readInternational(text: string, start: number, end: number): number[] {
  const label = text.slice(start, end);
  const converted = toALabel(label);
  if (converted === undefined) {
    throw new NameSyntaxError(
      `an internationalized label that has an A-label of at most ${MAX_LABEL} octets, got one that has none at character ${start + 1}`,
    );
  }
  return [...Buffer.from(converted, "latin1")];
}

function parseEscape(text: string, position: number): [octet: number, length: number] {
  const digits = /^\d{3}/.exec(text.slice(position + 1));
  if (digits !== null) {
    const octet = Number(digits[0]);
    if (octet > 255) throw new NameSyntaxError(`\\000 to \\255, got \\${digits[0]} at character ${position + 1}`);
    return [lowerCase(octet), 4];
  }
  const next = text[position + 1];
  if (next === undefined || !/[!-/:-~A-Za-z]/.test(next)) {
    throw new NameSyntaxError(
      `three digits or one printable character after the backslash at character ${position + 1}`,
    );
  }
  return [lowerCase(next.charCodeAt(0)), 2];
}

function refuseCharacter(character: string, position: number): string {
  const code = character.codePointAt(0) ?? 0;
  const shown = code > 0x20 && code < 0x7f ? `"${character}"` : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const place = `got ${shown} at character ${position + 1}`;
  if (character === "*") return `a wildcard only as the whole first label, ${place} (\\* is a literal asterisk)`;
  if (FALSE_DASH.test(character)) {
    return `ASCII, ${place} (a dash that only looks like "-")`;
  }
  if (/[\u2024\u3002\uff0e\uff61]/.test(character)) return `ASCII, ${place} (a dot that only looks like ".")`;
  if (code >= 0x80) return `ASCII, ${place} (its A-label, xn--..., if it is meant)`;
  const escaped = `\\${String(code).padStart(3, "0")}`;
  return `letters, digits, "-", "_" and "/" in a label, ${place} (${escaped} if it is meant)`;
}

/** RFC 4343: only ASCII letters have a case. */
function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}

function presentLabel(label: Uint8Array): string {
  let text = "";
  for (const octet of label) {
    const character = String.fromCharCode(octet);
    text += PLAIN.test(character) ? character : `\\${String(octet).padStart(3, "0")}`;
  }
  return text;
}
