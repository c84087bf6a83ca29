import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SCHEMAS } from "../../../extproc/resources/schema.ts";
import { DENY_COM, POLICY, TENANT } from "../server/policies.ts";
import { runCommand } from "./run-command.ts";

const run = promisify(execFile);

describe("dnspolicy commands without a service", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("validate a whole set", async () => {
    assert.deepEqual(await runCommand(["validate", "-f", "-"], { stdin: POLICY }), {
      code: 0,
      stdout: "valid: 3 resources\n",
      stderr: "",
    });
    const path = join(folder, "bad.yaml");
    await writeFile(path, `${TENANT}---\n${DENY_COM.replace("Deny", "Dny")}`);
    const bad = await runCommand(["validate", "-f", path]);
    assert.equal(bad.code, 1);
    assert.equal(bad.stdout, "not valid: 1 problem, 0 warnings\n");
    assert.ok(bad.stderr.startsWith(`${path}: document 2, line 12, spec.rules[0].action: expected`), bad.stderr);
    const dangling = await runCommand(["validate", "-f", "-", "-o", "json"], { stdin: TENANT });
    assert.equal(dangling.code, 1);
    const { valid, problems } = JSON.parse(dangling.stdout);
    assert.deepEqual([valid, problems[0].path], [false, "spec.upstream"]);
    assert.equal((await runCommand(["validate", "-f", join(folder, "none.yaml")])).code, 2);
  });

  it("print the schema of a kind, or of all, or write them", async () => {
    const tenant = JSON.parse((await runCommand(["schema", "Tenant"])).stdout);
    assert.equal(tenant.properties.kind.const, "Tenant");
    const all = JSON.parse((await runCommand(["schema"])).stdout);
    assert.deepEqual(Object.keys(all.$defs), Object.keys(SCHEMAS));
    assert.equal((await runCommand(["schema", "Tenants"])).code, 2);
    assert.equal((await runCommand(["schema", "--directory", join(folder, "made")])).code, 0);
    const names = Object.keys(SCHEMAS).map((kind) => `${kind}.schema.json`);
    assert.deepEqual((await readdir(join(folder, "made"))).sort(), [...names, "resource.schema.json"].sort());
    assert.deepEqual(JSON.parse(await readFile(join(folder, "made", "Tenant.schema.json"), "utf8")), tenant);
  });

  it("complete in bash", async () => {
    const script = (await runCommand(["completion", "bash"])).stdout;
    const complete = async (...words: string[]) => {
      const setup = `COMP_WORDS=(dnspolicy "$@"); COMP_CWORD=$#; _dnspolicy; echo "\${COMPREPLY[*]}"`;
      const { stdout } = await run("bash", ["-c", `${script}\n${setup}`, "bash", ...words], { cwd: folder });
      return stdout.trim();
    };
    await writeFile(join(folder, "policy.yaml"), "");
    assert.equal(await complete("roll"), "rollback");
    assert.equal(await complete("apply", "--dr"), "--dry-run");
    assert.equal(await complete("get", "Ten"), "Tenant");
    assert.equal(await complete("get", "-o", ""), "source table json yaml");
    assert.equal(await complete("history", "-o", "j"), "json");
    assert.equal(await complete("apply", "-f", "pol"), "policy.yaml");
    assert.equal(await complete("apply", "--reason", ""), "");
    assert.equal(await complete("get", "Tenant", ""), "");
    assert.equal(await complete("completion", ""), "bash zsh fish");
  });

  it("complete in zsh and fish", async () => {
    assert.match((await runCommand(["completion", "zsh"])).stdout, /^autoload -U \+X bashcompinit && bashcompinit\n/);
    const fish = (await runCommand(["completion", "fish"])).stdout.split("\n");
    assert.ok(fish.some((line) => line.includes("from rollback") && line.includes("-l reason -x -d 'why, for the")));
    assert.ok(fish.some((line) => line.includes("from get") && line.includes("-s o -l output -x -a 'source table")));
    assert.ok(fish.some((line) => line.includes("from apply") && line.includes("-s f -l filename -r -F")));
    // Nothing ends a quoted text but its end.
    for (const line of fish) assert.match(line.replaceAll(/\\['\\]/g, ""), /^([^']*'[^']*')*[^']*$/);
    assert.equal((await runCommand(["completion", "tcsh"])).code, 2);
  });
});
