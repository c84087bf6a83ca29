// Tenants by small numbers: every count is kept by tenant, so there may only be so many of them.

/** More than this many tenants a process are counted together, as `other`. */
export const MAX_TENANTS: u32 = 1000;
/** A client that is no tenant's. */
export const NO_TENANT: u32 = 0;
export const OTHER: u32 = 1;

const MAX_NAME: u32 = 253;

@final
export class Tenant {
  readonly name: usize;
  /** As its latest verdict has them: of a query that no verdict was found for. */
  logAll: bool = false;
  sample: u32 = 0;

  constructor(
    readonly number: u32,
    name: usize,
    readonly length: u32,
  ) {
    this.name = heap.alloc(length + 1);
    memory.copy(this.name, name, length);
  }

  /** The name as text, for metrics. */
  get text(): string {
    return String.UTF8.decodeUnsafe(this.name, this.length);
  }
}

const tenants: Tenant[] = [];

function add(name: string): void {
  const bytes = String.UTF8.encode(name);
  tenants.push(new Tenant(<u32>tenants.length, changetype<usize>(bytes), bytes.byteLength));
}
add("");
add("other");

export function tenant(number: u32): Tenant {
  return tenants[number];
}

/** The tenant's number; a name that is new gets one. Called once a decision, never for a query. */
export function internTenant(name: usize, length: u32): u32 {
  const size = min(length, MAX_NAME);
  for (let i = 0; i < tenants.length; i++) {
    const known = unchecked(tenants[i]);
    if (known.length == size && memory.compare(known.name, name, size) == 0) return known.number;
  }
  if (<u32>tenants.length == MAX_TENANTS + 2) return OTHER;
  tenants.push(new Tenant(<u32>tenants.length, name, size));
  return <u32>tenants.length - 1;
}

/** What a verdict says of the tenant's queries: which of them are to be logged. */
export function setLogging(number: u32, logAll: bool, sample: u32): void {
  // Those that are counted together want different things.
  if (number <= OTHER) return;
  const who = tenants[number];
  who.logAll = logAll;
  who.sample = sample;
}
