/**
 * Field types that several kinds share, each checked and turned into what it means in one step.
 */
import { z } from "zod";
import { admission, oneOf } from "./admission.ts";
import {
  DELAY,
  KEEP,
  parseDelay,
  parseInterval,
  parseKeep,
  parseTtl,
  parseWindow,
  SECONDS,
  WINDOW,
} from "./duration.ts";
import { FALSE_DASHES, type NamePattern, NameSyntaxError, parseName, parsePattern } from "./name-pattern.ts";
import { checkRegex } from "./name-regex.ts";
import { NETWORK, parseAddress, parseNetwork, parseServerAddress } from "./network.ts";
import { parsePrincipal } from "./principal.ts";
import { describe } from "./problem.ts";
import { parseRecord } from "./record.ts";
import { parseRecordType } from "./record-type.ts";
import { checkTimeZone, DAY_MINUTES, DAYS, parseTimeOfDay, TIME_OF_DAY } from "./week.ts";

/** What `looks` says of a text is less than what its parser asks for: so much others can check, too. */
function textLike(looks: RegExp | undefined) {
  return looks === undefined ? z.string() : z.string().meta({ pattern: looks.source });
}

/** A text that `parse` turns into a value, or into what it expected instead. */
export function parsed<T>(parse: (text: string) => T | string, looks?: RegExp): z.ZodType<T, string> {
  return textLike(looks).transform((text, context): T => {
    const value = parse(text);
    if (typeof value !== "string") return value;
    context.addIssue({ code: "custom", message: `expected ${value}, got ${describe(text)}`, input: text });
    return z.NEVER;
  }) as unknown as z.ZodType<T, string>;
}

function named(parse: (text: string) => NamePattern): z.ZodType<NamePattern, string> {
  return textLike(UNBROKEN).transform((text, context): NamePattern => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof NameSyntaxError)) throw error;
      context.addIssue({ code: "custom", message: `expected ${error.message}, in ${describe(text)}`, input: text });
      return z.NEVER;
    }
  }) as unknown as z.ZodType<NamePattern, string>;
}

/** A string that `check` accepts by answering nothing, or else says what it expected. */
export function checked(check: (text: string) => string | undefined, looks?: RegExp): z.ZodType<string, string> {
  return parsed<{ readonly text: string }>((text) => check(text) ?? { text }, looks).transform(
    ({ text }) => text,
  ) as unknown as z.ZodType<string, string>;
}

/** A string that matches, of which nothing else is asked. */
function matching(looks: RegExp, expected: string): z.ZodType<string, string> {
  return checked((text) => (looks.test(text) ? undefined : expected), looks);
}

/** Blanks in a name are written as \\DDD. False dashes stand here as themselves: RE2, which reads this too, has no \\u. */
const UNBROKEN = new RegExp(`^[^\\s${FALSE_DASHES}]+$`);

export const pattern = named(parsePattern);
export const zone = named((text) => {
  if (text.startsWith("*")) throw new NameSyntaxError("a zone, which is its apex and every name below it anyway");
  return parseName(text).canonical;
});
/** For whole names. */
export const nameRegex = checked(checkRegex);
export const principal = parsed(parsePrincipal, /^spiffe:\/\//);
export const network = parsed(parseNetwork, NETWORK);
export const recordType = parsed(parseRecordType);
export const ttl = parsed(parseTtl, SECONDS);
export const interval = parsed(parseInterval, SECONDS);
export const keep = parsed(parseKeep, KEEP);
/** One name, in wire format: also the root. */
export const name = named((text) => {
  if (text.startsWith("*")) throw new NameSyntaxError("one name");
  return parseName(text).canonical;
});
export const record = parsed(parseRecord);
export const delay = parsed(parseDelay, DELAY);
export const window = parsed(parseWindow, WINDOW);
export const percent = z
  .number()
  .gt(0)
  .max(100)
  .refine((value) => Math.abs(value * 100 - Math.round(value * 100)) < 1e-6, {
    message: "expected hundredths of a percent at the least, as 0.25",
  });
const timeOfDay = parsed(parseTimeOfDay, TIME_OF_DAY).transform(({ minute }) => minute);
/** Moments of a week, by the clock on the wall of a time zone. */
const weekly = z
  .strictObject({
    days: z.array(z.enum(DAYS)).min(1).optional(),
    between: z.tuple([timeOfDay, timeOfDay]).optional(),
    timeZone: checked(checkTimeZone).default("UTC"),
  })
  .superRefine(({ days, between }, context) => {
    const add = (path: string[], message: string) => context.addIssue({ code: "custom", message, path });
    if (!days && !between) add([], "expected days or between, got neither");
    if (between && (between[0] === between[1] || between[0] === DAY_MINUTES)) {
      add(["between"], 'expected a beginning and another end, as ["22:00", "06:00"]');
    }
  });
export const schedule = admission(weekly, oneOf("days", "between"));
/** An address as an answer has it: 4 or 16 octets. */
export const address = parsed(parseAddress);
export const serverAddress = parsed(parseServerAddress).transform(({ address }) => address);

/** A name as TLS has it: at least one label, no wildcard. Canonical text. */
export const serverName = named((text) => {
  if (text.startsWith("*")) throw new NameSyntaxError("one name, as a client sends it");
  const name = parseName(text);
  if (name.labels.length === 0) throw new NameSyntaxError("a host name, got the root");
  return name;
}).transform((name) => name.text);

export const httpUrl = checked((text) =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? undefined : "a URL as https://host.example/path",
);

/** SHA-256 of a public key (SPKI) in base64, as `openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`. */
export const pin = matching(/^[A-Za-z0-9+/]{43}=$/, "SHA-256 of a public key in base64, 44 characters");

/** A file on the machine of those who read it. */
export const filePath = checked((text) =>
  /^\/[^\0\n]{1,1023}$/.test(text) ? undefined : "an absolute path of at most 1024 characters",
);

/** RFC 3986 path, as Envoy leaves it after normalization. */
export const httpPath = checked((text) => {
  if (!/^\/[\x21-\x7e]*$/.test(text) || /[?#]/.test(text)) return "a path as /dns-query, without query";
  if (text.length > 1024) return "a path of at most 1024 octets";
  if (/\/\.{1,2}(\/|$)/.test(text)) return "a path without . and .. segments, which requests are freed of";
  return undefined;
}, /^\/[\x21-\x7e]*$/);

/** metadata.name: what Kubernetes takes for an object's name, in one label's length. */
export const resourceName = matching(
  /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
  "1 to 63 lower-case letters, digits, dashes and dots, first and last a letter or digit",
);

/** A namespace of Kubernetes. */
export const namespaceName = matching(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "1 to 63 lower-case letters, digits and dashes, first and last a letter or digit",
);

export const ruleName = matching(
  /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
  "1 to 63 letters, digits, dashes, dots and underscores, first and last a letter or digit",
);

/** EXTRA-TEXT of RFC 8914 travels in UDP answers: short. */
export const extraText = checked((text) =>
  new TextEncoder().encode(text).length <= 128 ? undefined : "a text of at most 128 octets of UTF-8",
);

export const metadata = z.strictObject({
  name: resourceName,
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
