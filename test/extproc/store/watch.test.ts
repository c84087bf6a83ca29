import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCompiler } from "../../../extproc/compile-thread/compiler.ts";
import type { Snapshot } from "../../../extproc/compiled/snapshot.ts";
import { LocalMesh } from "../../../extproc/mesh/local-mesh.ts";
import { type WatchedPolicy, watchDirectory } from "../../../extproc/store/watch.ts";
import { countingSet, secondsOf } from "./counting-set.ts";

describe("a watched directory", function () {
  this.timeout(30_000);
  const compiler = startCompiler();
  let directory = "";
  let watched: WatchedPolicy | undefined;
  let updates = 0;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "policy-watch-"));
  });
  afterEach(async () => {
    await watched?.close();
    await rm(directory, { recursive: true, force: true });
  });
  after(() => compiler.close());

  const start = async () => {
    watched = await watchDirectory({ directory, compiler, rescanMs: 0 });
    return watched;
  };
  const put = (text: string) => writeFile(join(directory, "set.yaml"), text);

  /** As the kubelet does it: a new folder, and one rename of the link that all files go through. */
  async function mount(text: string): Promise<void> {
    const folder = `..version-${++updates}`;
    await mkdir(join(directory, folder));
    await writeFile(join(directory, folder, "set.yaml"), text);
    await symlink(folder, join(directory, "..data_tmp"));
    await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    await symlink("..data/set.yaml", join(directory, "set.yaml")).catch(() => undefined);
  }

  it("takes over what a ConfigMap is changed to", async () => {
    await mount(countingSet(1));
    const source = await start();
    const first = source.current();
    assert.equal(secondsOf(first), 1);
    const changed = new Promise<Snapshot>((resolve) => source.onChange(resolve));
    await mount(countingSet(2));
    const second = await changed;
    assert.equal(secondsOf(second), 2);
    assert.ok(second.sequence > (first?.sequence ?? 0));
  });

  it("has objects of the mesh in it, too, and refuses all of it where one is wrong", async () => {
    const service = (address: string) =>
      `---\napiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { clusterIP: ${address} }\n`;
    const mesh = await LocalMesh.open(
      {},
      { now: Date.now, after: (_, task) => void setImmediate(task), onTrouble: () => {} },
    );
    await put(`${countingSet(1)}${service("10.0.0.1")}`);
    const source = await watchDirectory({ directory, compiler, mesh, rescanMs: 0 });
    watched = source;
    const key = { kind: "Service", namespace: "default", name: "web" } as const;
    const address = async () => /clusterIP: (.*)/.exec((await mesh.ask("get", key))?.text ?? "")?.[1];
    assert.equal(await address(), "10.0.0.1");
    await put(`${countingSet(2)}${service("10.0.0")}`);
    await source.refresh();
    assert.match(source.status().problems[0]?.path ?? "", /^spec\.clusterIP$/);
    assert.deepEqual([await address(), secondsOf(source.current())], ["10.0.0.1", 1]);
    await put(countingSet(2));
    await source.refresh();
    assert.deepEqual([await address(), secondsOf(source.current())], [undefined, 2]);
  });

  it("keeps the last good set while the content is not valid, and says why", async () => {
    await put(countingSet(1));
    const source = await start();
    const good = source.current();
    await put("apiVersion: dns.mesh/v1alpha1\nkind: Tenant\nmetadata: {name: T}\nspec: {}\n");
    await source.refresh();
    assert.equal(source.current(), good);
    assert.deepEqual(
      source.status().problems.map(({ source: name, line, path }) => [name, line, path]),
      [["set.yaml", 3, "metadata.name"]],
    );
    await put(countingSet(3));
    await source.refresh();
    assert.equal(secondsOf(source.current()), 3);
    assert.deepEqual(source.status().problems, []);
    const { generation, revision } = source.resources()[0] ?? {};
    assert.deepEqual([generation, revision], [2, source.current()?.sequence]);
  });

  it("keeps it too when the directory becomes empty, or goes away", async () => {
    await put(countingSet(1));
    const source = await start();
    await unlink(join(directory, "set.yaml"));
    await source.refresh();
    assert.equal(secondsOf(source.current()), 1);
    assert.match(source.status().problems[0]?.message ?? "", /expected YAML files, got none/);
    await rm(directory, { recursive: true });
    await source.refresh();
    assert.equal(secondsOf(source.current()), 1);
    assert.match(source.status().problems[0]?.message ?? "", /ENOENT/);
  });

  it("keeps it while a file is empty: somebody is writing it", async () => {
    await put(countingSet(1));
    const source = await start();
    await put("");
    await source.refresh();
    assert.equal(secondsOf(source.current()), 1);
  });

  it("has no policy before the first valid content", async () => {
    const source = await start();
    assert.equal(source.current(), undefined);
    assert.equal(source.status().sequence, 0);
    await put(countingSet(1));
    await source.refresh();
    assert.equal(secondsOf(source.current()), 1);
  });

  it("compiles the same content once, whatever happens around it", async () => {
    await put(countingSet(1));
    const source = await start();
    let changes = 0;
    source.onChange(() => changes++);
    const { sequence } = source.status();
    await writeFile(join(directory, "notes.txt"), "x");
    await writeFile(join(directory, ".set.yaml.swp"), "x");
    await Promise.all([source.refresh(), source.refresh(), source.refresh()]);
    assert.deepEqual([changes, source.status().sequence], [0, sequence]);
  });

  it("gives replicas on one file system the same numbers, in whatever state they start", async () => {
    const at = (seconds: number) => utimes(join(directory, "set.yaml"), seconds, seconds);
    await put(countingSet(1));
    await at(1_700_000_000);
    const old = await start();
    assert.equal(old.status().sequence, 1_700_000_000_000);
    await put(countingSet(2));
    await at(1_700_000_001);
    await old.refresh();
    const young = await watchDirectory({ directory, compiler, rescanMs: 0 });
    assert.equal(young.status().sequence, old.status().sequence);
    await put(`${countingSet(2)}# comment\n`);
    await at(1_700_000_002);
    await old.refresh();
    await young.refresh();
    assert.equal(old.status().sequence, 1_700_000_002_000);
    assert.equal(young.status().sequence, old.status().sequence);
    await young.close();
  });

  it("refuses a state file that gives an old number to other content", async () => {
    const header = (sequence: number) => `# dnspolicy state: sequence ${sequence}, hash 0123456789abcdef\n`;
    await put(header(5) + countingSet(1));
    const source = await start();
    assert.equal(source.status().sequence, 5);
    await put(header(5) + countingSet(2));
    await source.refresh();
    assert.equal(secondsOf(source.current()), 1);
    assert.match(source.status().problems[0]?.message ?? "", /expected a sequence above 5/);
    await put(header(6) + countingSet(2));
    await source.refresh();
    assert.deepEqual([source.status().sequence, secondsOf(source.current())], [6, 2]);
  });
});
