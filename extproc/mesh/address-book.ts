/**
 * Where virtual addresses that several services share are written down, as one of them gives them.
 */

export interface HostAddress {
  readonly host?: string | undefined;
  readonly value: string;
}

export interface AddressBook {
  /** Resolved when what others have written until now is among the objects, too. */
  caughtUp(): Promise<void>;
  /** All addresses of an entry, which come back as its status. Nothing, where the entry is there no more. */
  write(namespace: string, name: string, addresses: readonly HostAddress[]): Promise<void>;
  /** Forgets entries that are there no more. */
  retain(isThere: (namespace: string, name: string) => boolean): Promise<void>;
  /** For what was given back. */
  readonly released: OctetStore;
}

/** Octets that services keep for each other. */
export interface OctetStore {
  read(): Promise<StoredOctets | undefined>;
  /** In the place of what was read, or written, last: rejects where that is there no more. Gives the new version. */
  write(octets: Uint8Array, before: string | undefined): Promise<string>;
}

export interface StoredOctets {
  readonly octets: Buffer;
  readonly version: string;
}
