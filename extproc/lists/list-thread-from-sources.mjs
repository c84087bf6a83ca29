/**
 * The main module of the thread of lists where the sources run by tsx: threads do not inherit its loader.
 */
import { register } from "tsx/esm/api";

register();
await import("./list-thread.ts");
