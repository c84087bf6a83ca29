// What a verdict has counted: a Meter of protos/verdict.proto, as the filter keeps it in the verdict's block.

/** Meter.Kind. */
export const enum Kind {
  Queries = 0,
  UniqueNames = 1,
  /** Never in a chain: it goes with the client. */
  Pending = 2,
  Information = 3,
  /** In no chain either: it is asked where a name would go to an upstream. */
  Nxdomain = 4,
}
export const LAST_KIND: u64 = Kind.Nxdomain;

@unmanaged
export class Meter {
  id: u64;
  kind: Kind;
  byClient: bool;
  /** So many in so many milliseconds, after so many at once. */
  count: u32;
  perMilliseconds: u32;
  burst: u32;
}

export const METER_SIZE: u32 = (<u32>offsetof<Meter>() + 7) & ~7;
