// @ts-nocheck AssemblyScript.
/** The information in a name that the test puts there. */
import { informationIn } from "../../../../filter/meter/information";
import { NameKey } from "../../../../filter/wire/name";

const input: usize = heap.alloc(256);
const key = new NameKey();

export function put(at: u32, octet: u32): void {
  store<u8>(input + at, <u8>octet);
}
export function information(length: u32, type: u32): f64 {
  key.set(input, length);
  return informationIn(key, type);
}
