/** What the schemas of all kinds are made of. */

import { z } from "zod";
import { metadata } from "./field.ts";

export const API_VERSION = "dns.mesh/v1alpha1";

export function list<T extends z.ZodType>(item: T) {
  return z.array(item).min(1);
}

export function fail(context: z.RefinementCtx, path: (string | number)[], message: string): void {
  context.addIssue({ code: "custom", message, path });
}

export function resource<K extends string, S extends z.ZodType>(kind: K, spec: S) {
  return z.strictObject({ apiVersion: z.literal(API_VERSION), kind: z.literal(kind), metadata, spec });
}

/** Audit: recorded where it would have had a word, and passed by. Disabled: not there. */
export const mode = z.enum(["Enforce", "Audit", "Disabled"]).default("Enforce");

/** Names of transports as policies have them, in the order of Transport in verdict.proto. */
export const TRANSPORTS = ["UDP", "TCP", "DoT", "DoH", "DoH3"] as const;
