/**
 * Our Envoy with one worker, and the policy service beside it on the loader's core.
 */
import type { Peer } from "../server.ts";

export const product: Peer = {
  name: "envoy-dns-policy",
  missing: async () => "not wired yet",
  start: () => Promise.reject(new Error("not wired yet")),
};
