/**
 * Signatures of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec, "Signature scheme", symmetric): by which a
 * receiver knows who speaks, and that nobody says it again later.
 */
import { createHmac } from "node:crypto";

const PREFIX = "whsec_";
/** The specification's bounds for a key. */
const MIN_OCTETS = 24;
const MAX_OCTETS = 64;

/**
 * Keys of a secret's file: one a line, so that a receiver can be given a new one before the old one goes. Or what was
 * expected instead; no error shows a secret.
 */
export function readSecrets(text: string): Buffer[] | string {
  const lines = text.split(/\s+/).filter((line) => line !== "");
  if (lines.length === 0) return `a secret as ${PREFIX} and base64, got nothing`;
  const keys = lines.map((line) => {
    const base64 = line.startsWith(PREFIX) ? line.slice(PREFIX.length) : line;
    return /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, "base64") : Buffer.alloc(0);
  });
  const wrong = keys.findIndex(({ length }) => length < MIN_OCTETS || length > MAX_OCTETS);
  if (wrong === -1) return keys;
  return `${PREFIX} and base64 of ${MIN_OCTETS} to ${MAX_OCTETS} octets, got something else as secret ${wrong + 1}`;
}

/** `seconds` since 1970. */
export function signatureHeaders(keys: readonly Buffer[], id: string, seconds: number, body: string) {
  const signed = `${id}.${seconds}.${body}`;
  const signatures = keys.map((key) => `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signatures.join(" "),
  };
}
