// A question to an upstream, which may be for another name than the client's.

import { NameKey } from "../wire/name";

/** What is asked of an upstream. */
export class Asked {
  id: u32 = 0;
  readonly key: NameKey = new NameKey();
  type: u32 = 0;
  dnssec: bool = false;
  checkingDisabled: bool = false;
  instead: Instead = Instead.Nothing;
  /** The client's name, where another is asked for instead of it, and the TTL of the CNAME between them. */
  readonly owner: NameKey = new NameKey();
  aliasTtl: u32 = 0;

  /** What the client's name has for an alias is asked for instead of it. */
  behindAlias(name: usize, length: u32, ttl: u32): void {
    this.askInstead(Instead.Alias, name, length);
    this.aliasTtl = ttl;
  }

  rewrittenTo(name: NameKey): void {
    this.askInstead(Instead.Rewritten, name.at, name.length);
    // What is signed is not under the client's name.
    this.dnssec = false;
  }

  private askInstead(instead: Instead, name: usize, length: u32): void {
    this.instead = instead;
    this.owner.copy(this.key);
    this.key.set(name, length);
  }

  /** But for the id. */
  copy(other: Asked): void {
    this.key.copy(other.key);
    this.type = other.type;
    this.dnssec = other.dnssec;
    this.checkingDisabled = other.checkingDisabled;
    this.instead = other.instead;
    if (other.instead != Instead.Nothing) this.owner.copy(other.owner);
    this.aliasTtl = other.aliasTtl;
  }
}

/** What is asked for instead of the client's name. */
export const enum Instead {
  Nothing,
  /** What the name has for an alias: the answer gives it as that. */
  Alias,
  /** What it is rewritten to: the answer is given under the client's name. */
  Rewritten,
}
