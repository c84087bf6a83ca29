/**
 * Compiles the probe guest for the fake host's tests.
 */
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

/** The compiled probe. */
export async function compileProbe(): Promise<Uint8Array> {
  const folder = fileURLToPath(new URL("./probe/", import.meta.url));
  let module: Uint8Array | undefined;
  const options = [
    "--baseDir",
    folder,
    "--runtime",
    "minimal",
    "--use",
    "abort=index/abort",
    "--exportStart",
    "_initialize",
  ];
  const { error, stderr } = await asc.main(["index.ts", "-o", "probe.wasm", ...options], {
    writeFile: (name, contents) => {
      if (name === "probe.wasm" && typeof contents !== "string") module = contents;
    },
  });
  if (error || !module) throw new Error(`the probe does not compile: ${error?.message}\n${stderr.toString()}`);
  return module;
}
