/**
 * The filter that the tests run: the built one, or the one that `FILTER_WASM` names.
 */
import { fileURLToPath } from "node:url";

export const filterWasm = process.env.FILTER_WASM ?? fileURLToPath(new URL("../../build/filter.wasm", import.meta.url));
