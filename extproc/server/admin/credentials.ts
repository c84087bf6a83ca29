/**
 * What callers of the admin API show, and who they are by it. Of tokens only the digests are known here.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Caller, Role } from "./caller.ts";

export interface Credential {
  readonly name: string;
  readonly role: Role;
  /** Of an editor. */
  readonly tenant?: string | undefined;
  /** SHA-256 of a bearer token. */
  readonly digest?: Buffer | undefined;
  /** URI SAN of a client certificate. */
  readonly principal?: string | undefined;
}

export class Credentials {
  #all: readonly Credential[];

  constructor(all: readonly Credential[]) {
    this.#all = all;
  }

  /** Who is no longer among them is refused from the next request on. */
  replace(all: readonly Credential[]): void {
    this.#all = all;
  }

  byToken(secret: string): Caller | undefined {
    const presented = digestOf(secret);
    const found = this.#all.find(({ digest }) => digest !== undefined && timingSafeEqual(digest, presented));
    return found && toCaller(found, "token");
  }

  byPrincipal(uri: string): Caller | undefined {
    const found = this.#all.find(({ principal }) => principal === uri);
    return found && toCaller(found, "certificate");
  }
}

export function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

function toCaller({ name, role, tenant }: Credential, by: "token" | "certificate"): Caller {
  return { name, by, role, ...(tenant === undefined ? {} : { tenant }) };
}
