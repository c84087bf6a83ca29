/**
 * The policy guide is true: each of its examples is applied on top of the demo, and every `dnspolicy` line of it is run,
 * without a service. The lines that ask DNS, or a service, are run in test/e2e/guide.test.ts.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../extproc/cli/run-command.ts";
import { asksService, firstMissing, onTopOfDemo, readExamples, readGuide, type Step } from "./example.ts";

/** Commands that ask a service, and that ask files where a section's set is given to them with this flag. */
const OFFLINE = new Map([
  ["explain", "-f"],
  ["validate", "-f"],
  ["test", "--against"],
  ["lint", "-f"],
  ["replay", "--against"],
]);

describe("the policy guide", () => {
  for (const { title, line, yaml, files, steps } of readGuide()) {
    it(`line ${line}: ${title}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "dnspolicy-guide-"));
      try {
        const set = onTopOfDemo(yaml);
        const refused = steps.some(({ expected }) => expected.some((text) => text.startsWith("not valid")));
        if (!refused) assert.ok("text" in set, JSON.stringify(set));
        await writeFile(join(folder, "set.yaml"), "text" in set ? set.text : yaml);
        const all = new Map([["example.yaml", yaml], ...files]);
        for (const [name, text] of all) await writeFile(join(folder, name), text);
        for (const step of steps.filter((step) => !asksService(step))) await runStep(step, folder, all);
        const asked = steps.filter(asksService);
        assert.ok(steps.length > 0, "expected lines of what is asked and what comes, got none");
        for (const { words, line, expected } of [...asked, ...steps]) {
          assert.ok(["dnspolicy", "dig"].includes(words[0] ?? ""), `line ${line}: expected dnspolicy or dig`);
          assert.ok(expected.length > 0, `line ${line}: expected lines of what comes, got none`);
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }

  it("is read section by section", () => {
    const read = readExamples(
      "# Head\n```sh\nnpm start\n```\n## One\n```yaml\na: 1\n```\n```yaml b.yaml\nb: 2\n```\n```console\n$ dig 'x y' # why\nthere\n\n$ dnspolicy get\nz\n```\n",
    );
    assert.equal(read.length, 1);
    const [{ title, yaml, files, steps } = assert.fail()] = read;
    assert.deepEqual([title, yaml, [...files]], ["One", "a: 1\n", [["b.yaml", "b: 2\n"]]]);
    assert.deepEqual(steps, [
      { line: 13, words: ["dig", "x y"], expected: ["there"] },
      { line: 16, words: ["dnspolicy", "get"], expected: ["z"] },
    ]);
  });

  it("is found wrong where lines are missing or come in another order", () => {
    assert.equal(firstMissing(["a  b", "c"], "x a b\ny\nc\n"), undefined);
    assert.equal(firstMissing(["c", "a b"], "x a b\ny\nc\n"), "a b");
    assert.equal(firstMissing(["c", "c"], "c\n"), "c");
  });
});

async function runStep(step: Step, folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const [, command = "", ...given] = step.words;
  const args = given.map((word) => (files.has(word) ? join(folder, word) : word));
  const flag = OFFLINE.get(command);
  if (flag !== undefined && !args.includes(flag)) args.push(flag, join(folder, "set.yaml"));
  const { stdout, stderr } = await runCommand([command, ...args]);
  const output = `${stderr}${stdout}`.replaceAll(`${folder}/`, "");
  const missing = firstMissing(step.expected, output);
  assert.equal(missing, undefined, `line ${step.line}, ${step.words.join(" ")}: expected "${missing}", got\n${output}`);
}
