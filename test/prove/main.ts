/**
 * `npm run prove -- NAME… [--scale 0.02]`: shows rows of what the product must show, and says pass or fail; `all` of them
 * take hours. Without a name it lists them.
 */
import { parseArgs } from "node:util";
import { Report } from "./proof.ts";
import { proofs } from "./proofs.ts";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { scale: { type: "string", default: "1" } },
  });
  const scale = Number(values.scale);
  if (!(scale > 0 && scale <= 1)) throw new Error(`--scale: expected more than 0 and at most 1, got ${values.scale}`);
  if (positionals.length === 0) {
    for (const { name, what } of proofs) console.log(`${name}: ${what}`);
    return;
  }
  const all = positionals.includes("all");
  const unknown = positionals.filter((name) => name !== "all" && !proofs.some((proof) => proof.name === name));
  if (unknown.length > 0)
    throw new Error(`no proof ${unknown.join(", ")}; there are ${proofs.map(({ name }) => name).join(", ")}`);
  for (const proof of proofs.filter(({ name }) => all || positionals.includes(name))) {
    console.log(`${proof.name}: ${proof.what}`);
    const report = new Report();
    const started = Date.now();
    try {
      await proof.run(scale, report);
    } catch (error) {
      report.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    for (const [name, value] of report.figures) console.log(`  ${name}: ${value}`);
    for (const failure of report.failures) console.log(`  FAIL ${failure}`);
    console.log(`${report.passed ? "pass" : "FAIL"} ${proof.name} in ${Math.round((Date.now() - started) / 1000)} s\n`);
    if (!report.passed) process.exitCode = 1;
  }
}

await main();
