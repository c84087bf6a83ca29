/**
 * The compiling thread's main module where the sources run by tsx: threads do not inherit its loader.
 */
import { register } from "tsx/esm/api";

register();
await import("./worker.ts");
