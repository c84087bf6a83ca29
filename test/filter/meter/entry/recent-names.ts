// @ts-nocheck AssemblyScript.
/** Names that are seen, by a clock of the test's own. */
import { RecentNames } from "../../../../filter/meter/recent-names";

const names = new RecentNames(1);

/** Whether the name was seen of late; it is now. */
export function see(meter: u64, name: u64, now: u64): u32 {
  if (names.has(meter, name, now)) return 1;
  names.add();
  return 0;
}
export function memorySize(): i32 {
  return memory.size();
}
