/**
 * The lines of the policy guide that ask DNS: each example is applied on top of the demo, and dig asks a real Envoy.
 */
import { strict as assert } from "node:assert";
import { parse, parseAllDocuments } from "yaml";
import { firstMissing, onTopOfDemo, readGuide } from "../guide/example.ts";
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

  const asking = readGuide().filter(({ steps }) => steps.some(({ words }) => words[0] === "dig"));
  for (const { title, line, yaml, steps } of asking) {
    it(`line ${line}: ${title}`, async () => {
      await stack.apply(resourcesOf(yaml, stack));
      for (const step of steps.filter(({ words }) => words[0] === "dig")) {
        const output = await command("dig", ...step.words.slice(1).map((word) => onHarness(word, stack)), "+tries=1");
        const missing = firstMissing(step.expected, output);
        const asked = step.words.join(" ");
        assert.equal(missing, undefined, `line ${step.line}, ${asked}: expected "${missing}", got\n${output}`);
      }
    });
  }
});

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
