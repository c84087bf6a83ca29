/**
 * Capture: DNS of a pod or a virtual machine goes to Envoy, whatever name server its programs were told. What is sent
 * from here to port 53, by UDP or TCP, over IPv4 or IPv6, is redirected to Envoy's port; what Envoy itself sends is not.
 * Where it is asked for, connections to virtual addresses are brought to Envoy as well.
 */
import type { Network } from "../resources/network.ts";

/** What is captured, and for whom. */
export interface Capture {
  /** Envoy's port for UDP and TCP, at 127.0.0.1 and ::1. */
  readonly port: number;
  /** Envoy's own traffic is that of these users, or has this mark; otherwise it would come back to Envoy for ever. */
  readonly users: readonly number[];
  readonly mark: number | undefined;
  readonly virtual?: VirtualCapture | undefined;
}

export interface VirtualCapture {
  /** Envoy's port for connections to virtual addresses. */
  readonly port: number;
  /** The ranges of those. */
  readonly ranges: readonly Network[];
  /** Where Envoy asks itself for names, at 127.0.0.1: who else asks there is brought to where everybody asks. */
  readonly resolverPort: number | undefined;
}

/** Runs a program with an input; rejects with what it has said where it fails. */
export type RunProgram = (command: string, args: readonly string[], input?: string) => Promise<string>;

/** Installed as asked, installed otherwise, or not there at all. */
export type CaptureState = "installed" | "other" | "absent";

/** Rules in the kernel: they outlive who has installed them, and a second installation changes nothing. */
export interface Rules {
  /** What `install` does, to be read. */
  readonly plan: (capture: Capture) => string;
  readonly install: (capture: Capture) => Promise<void>;
  readonly remove: () => Promise<void>;
  readonly check: (capture: Capture) => Promise<CaptureState>;
}
