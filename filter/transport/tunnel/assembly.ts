// Capsules that arrive in parts, over several DATA frames. Envoy puts a datagram into one frame as long as it can, so
// there are few at any time; what exceeds the bound is dropped, as UDP may be.

import { MAX_CAPSULE } from "./capsule";

/** Capsules that may be in parts at a time, in a worker. */
const MAX_ASSEMBLIES: u32 = 64;

/** The first octets of a capsule. */
@final
export class Assembly {
  readonly at: usize = heap.alloc(MAX_CAPSULE);
  length: u32 = 0;
  next: Assembly | null = null;
}

let free: Assembly | null = null;
let made: u32 = 0;

/** An empty one, or null where all are in use. */
export function takeAssembly(): Assembly | null {
  const assembly = free;
  if (assembly !== null) {
    free = assembly.next;
    assembly.next = null;
    assembly.length = 0;
    return assembly;
  }
  if (made == MAX_ASSEMBLIES) return null;
  made++;
  return new Assembly();
}

export function giveAssembly(assembly: Assembly): void {
  assembly.next = free;
  free = assembly;
}
