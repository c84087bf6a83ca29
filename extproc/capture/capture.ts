/**
 * Capture by either of the two ways in which Linux is told of such rules.
 */
import { Iptables } from "./iptables.ts";
import { Nftables } from "./nftables.ts";
import type { Rules, RunProgram } from "./rules.ts";

export const CAPTURE_BACKENDS = ["nftables", "iptables"] as const;
export type CaptureBackend = (typeof CAPTURE_BACKENDS)[number];

export function captureBy(backend: CaptureBackend, run: RunProgram): Rules {
  return backend === "nftables" ? new Nftables(run) : new Iptables(run);
}
