/**
 * Octets that were sound, with a few changed, cut off or put in.
 */
import type { SeededRandom } from "../host/clock.ts";

export function mutateBytes(random: SeededRandom, bytes: Uint8Array): Buffer {
  let out: Buffer = Buffer.from(bytes);
  for (let times = random.below(5); times > 0 && out.length > 0; times--) {
    const at = random.below(out.length);
    const kind = random.below(4);
    if (kind === 0) out[at] = random.below(256);
    else if (kind === 1) out[at] = random.pick([0, 0xc0, 0xff, 0x3f, 0x80]);
    else if (kind === 2) out = out.subarray(0, at);
    else out = Buffer.concat([out.subarray(0, at), random.bytes(random.below(6)), out.subarray(at)]);
  }
  return out;
}
