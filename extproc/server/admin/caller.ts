/**
 * Who calls the admin API, and what that allows.
 */
import type { Author } from "../../store/version.ts";

/** What a caller may do; each role may do what those before it may. */
export const ROLES = ["viewer", "editor", "admin"] as const;
export type Role = (typeof ROLES)[number];

export interface Caller {
  /** Empty where the way in says nothing of it. */
  readonly name: string;
  /** How the name is known. */
  readonly by: Exclude<Author["by"], "service">;
  readonly role: Role;
  /** The one tenant whose policies an editor may change. */
  readonly tenant?: string;
}

export function mayActAs({ role }: Caller, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
