/**
 * Its main module: threads do not inherit the loader of sources.
 */
import { register } from "tsx/esm/api";

register();
await import("./reference-worker.ts");
