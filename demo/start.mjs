/**
 * `npm start`: makes the clone ready, then hands over to the demo itself (main.ts), in this process.
 */
import { setup } from "./setup.mjs";

try {
  const envoy = setup();
  const { register } = await import("tsx/esm/api");
  register();
  const { main } = await import("./main.ts");
  await main(process.argv.slice(2), envoy);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
