/**
 * The lines of the policy guide that ask DNS, or a service: each example is applied on top of the demo, and dig asks a real Envoy.
 */
import { strict as assert } from "node:assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { runCommand } from "../extproc/cli/run-command.ts";
import { asksService, firstMissing, onTopOfDemo, readGuide, type Step } from "../guide/example.ts";
import { startDemoStack } from "../prove/transports.ts";
import { joinDocuments } from "../stories/world.ts";
import type { Stack } from "./stack.ts";
import { command } from "./tools.ts";

/** The demo's upstreams: the harness has them on ports of its own. */
const HARNESS = ["public", "corp"];

describe("the policy guide, asked by dig", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await startDemoStack();
  });
  after(() => stack.stop());

  const asking = readGuide().filter(({ steps }) => steps.some(asksService));
  for (const { title, line, yaml, steps } of asking) {
    it(`line ${line}: ${title}`, async () => {
      const asked = steps.filter(asksService);
      // An example that shows how it is applied is not there before.
      await stack.apply(resourcesOf(asked.some(({ words }) => words[1] === "apply") ? "" : yaml, stack));
      await writeFile(join(stack.directory, "example.yaml"), yaml);
      for (const step of asked) {
        const output = await run(step, stack);
        const missing = firstMissing(step.expected, output);
        const asked = step.words.join(" ");
        assert.equal(missing, undefined, `line ${step.line}, ${asked}: expected "${missing}", got\n${output}`);
      }
    });
  }
});

async function run({ words: [program = "", ...given] }: Step, stack: Stack): Promise<string> {
  if (program === "dig") return command("dig", ...given.map((word) => onHarness(word, stack)), "+tries=1");
  const args = given.map((word) => (word === "example.yaml" ? join(stack.directory, word) : word));
  const { stdout, stderr } = await runCommand(args, { environment: { DNSPOLICY_SERVER: stack.service.admin } });
  return `${stderr}${stdout}`;
}

function resourcesOf(yaml: string, stack: Stack): string {
  const set = onTopOfDemo(yaml);
  assert.ok("text" in set, JSON.stringify(set));
  const others = parseAllDocuments(set.text)
    .map((document) => document.toString())
    .filter((text) => {
      const { kind, metadata } = parse(text) as { kind: string; metadata: { name: string } };
      return kind !== "Upstream" || !HARNESS.includes(metadata.name);
    });
  const protocols = { public: { protocol: "DoT" }, corp: { protocol: "DoH" } } as const;
  return stack.policy({ policy: joinDocuments(...others), upstreams: protocols });
}

/** The demo's port, as the harness has it. */
function onHarness(word: string, stack: Stack): string {
  return word === "1053" ? String(stack.target.ports.udp) : word;
}
