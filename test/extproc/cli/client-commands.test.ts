import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Credentials, digestOf } from "../../../extproc/server/admin/credentials.ts";
import { Harness, until } from "../server/harness.ts";
import { EnvoyPeer, WorkerPeer } from "../server/peers.ts";
import { DENY_COM, POLICY, TENANT, upstream } from "../server/policies.ts";
import { type Outcome, runCommand, type World } from "./run-command.ts";

describe("dnspolicy commands", () => {
  let harness: Harness;
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
    await harness.stop();
  });

  function dnspolicy(args: readonly string[], world: World = {}): Promise<Outcome> {
    const admin = harness.service.admin[0];
    const server = admin?.kind === "unix" ? `unix:${admin.path}` : "";
    return runCommand(args, { ...world, environment: { DNSPOLICY_SERVER: server, ...world.environment } });
  }

  async function file(name: string, text: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  }

  it("apply files, directories and the standard input", async () => {
    harness = await Harness.start();
    const directory = join(folder, "more");
    await mkdir(directory);
    await file("more/b.yml", upstream(2, "TCP", "b"));
    await file("more/a.yaml", upstream(1, "TCP", "a"));
    await file("more/ignored.txt", "no YAML: [");
    const first = await dnspolicy(["apply", "-f", await file("c.yaml", upstream(3, "TCP", "c")), "-f", directory]);
    assert.deepEqual(first, {
      code: 0,
      stdout:
        "Upstream/a created\nUpstream/b created\nUpstream/c created\nrevision 2 in force, acknowledged by 0 workers\n",
      stderr: "",
    });
    const pruned = await dnspolicy(["apply", "--prune", "-f", "-"], { stdin: POLICY });
    assert.match(pruned.stdout, /^Upstream\/a deleted$/m);
    const again = await dnspolicy(["apply", "-f", "-"], { stdin: POLICY });
    assert.equal(again.stdout, "revision 3 in force as before, acknowledged by 0 workers\n");
    const tried = await dnspolicy(["apply", "--dry-run", "-f", "-"], { stdin: upstream(1, "TCP", "a") });
    assert.match(tried.stdout, /^--- \/dev\/null\n\+\+\+ Upstream\/a\n@@ -0,0 \+1,4 @@\n\+apiVersion: /);
    assert.match(tried.stdout, /\nUpstream\/a created\nvalid; nothing was changed\n$/);
    assert.equal(harness.service.control.sequence, 3);
  });

  it("history, diff and rollback", async () => {
    harness = await Harness.start();
    const plain = (port: number) => ({ stdin: upstream(port, "TCP", "plain") });
    await dnspolicy(["apply", "-f", "-", "--reason", "the first"], plain(1));
    await dnspolicy(["apply", "-f", "-", "--reason", "worse"], plain(2));
    const back = await dnspolicy(["rollback", "~1", "--reason", "2 was wrong"]);
    assert.equal(back.stdout, "Upstream/plain updated\nrevision 4 in force, acknowledged by 0 workers\n");
    const { stdout } = await dnspolicy(["history"]);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(rows[0], ["VERSION", "HASH", "TIME", "AUTHOR", "CHANGES", "REASON"]);
    assert.deepEqual(
      rows.slice(1).map(([version, , , ...rest]) => [version, ...rest]),
      [
        ["4", "tester (claimed)", "+0 ~1 -0", "back to 2: 2 was wrong"],
        ["3", "tester (claimed)", "+0 ~1 -0", "worse"],
        ["2", "tester (claimed)", "+1 ~0 -0", "the first"],
        ["1", "dnspolicy", "+3 ~0 -0", "the beginning"],
        ["0", "dnspolicy", "an empty store"],
      ],
    );
    assert.equal(JSON.parse((await dnspolicy(["history", "-o", "json"])).stdout).length, 5);
    const diff = await dnspolicy(["diff", "2", "3"]);
    assert.match(
      diff.stdout,
      /^--- Upstream\/plain\n\+\+\+ Upstream\/plain\n@@ .*\n.*\n-spec.*port: 1.*\n\+spec.*port: 2/s,
    );
    assert.equal((await dnspolicy(["diff", "2"])).stdout, "");
    assert.match((await dnspolicy(["diff", "~1", "-o", "yaml"])).stdout, /^- kind: Upstream\n {2}name: plain\n/);
    const tried = await dnspolicy(["rollback", "1", "--dry-run"]);
    assert.match(tried.stdout, /^--- Upstream\/plain\n\+\+\+ \/dev\/null\n.*nothing was changed\n$/s);
    const unknown = await dnspolicy(["rollback", "17"]);
    assert.deepEqual(
      [unknown.code, unknown.stderr],
      [1, "dnspolicy: expected one of the 5 versions from 0 to 4, got 17\n"],
    );
    assert.equal((await dnspolicy(["rollback", "~9"])).code, 1);
    assert.equal((await dnspolicy(["rollback", "first"])).code, 2);
  });

  it("change nothing when another version is in force, and exit with 5", async () => {
    harness = await Harness.start();
    const late = { stdin: upstream(2, "TCP", "plain") };
    assert.equal((await dnspolicy(["delete", "DnsPolicy", "no-com", "--if-version", "1"])).code, 0);
    const { code, stderr } = await dnspolicy(["apply", "-f", "-", "--if-version", "1"], late);
    assert.equal(code, 5);
    assert.match(stderr, /^dnspolicy: expected version 1 in force, got version 2, made by tester at .*\n$/);
  });

  it("say where a file is wrong, and exit with 1", async () => {
    harness = await Harness.start();
    const path = await file("bad.yaml", `${TENANT}---\n${DENY_COM.replace("priority", "prio")}`);
    const { code, stdout, stderr } = await dnspolicy(["apply", "-f", path]);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.ok(stderr.includes(`${path}: document 2, line 10, spec.prio: expected one of priority`), stderr);
    assert.match(stderr, /\ndnspolicy: the policy would not be valid: nothing was changed\n$/);
  });

  it("get and delete", async () => {
    harness = await Harness.start();
    assert.match((await dnspolicy(["get", "Tenant", "frontend"])).stdout, /^kind: Tenant$/m);
    assert.equal((await dnspolicy(["get", "Tenant"])).stdout.match(/^kind:/gm)?.length, 1);
    assert.equal((await dnspolicy(["get"])).stdout.match(/^kind:/gm)?.length, 3);
    assert.deepEqual(await dnspolicy(["get", "Tenant", "none"]), {
      code: 1,
      stdout: "",
      stderr: "dnspolicy: expected a resource in force, got Tenant/none\n",
    });
    const deleted = await dnspolicy(["delete", "DnsPolicy", "no-com"]);
    assert.match(deleted.stdout, /^DnsPolicy\/no-com deleted$/m);
    assert.equal(deleted.code, 0);
    assert.equal((await dnspolicy(["delete", "DnsPolicy", "no-com"])).code, 1);
  });

  it("get resources with what the service says of them, which apply takes back", async () => {
    harness = await Harness.start();
    const commented = upstream(5, "TCP", "plain").replace("spec:", "# why\nspec:");
    await dnspolicy(["apply", "-f", "-"], { stdin: commented });
    const { stdout } = await dnspolicy(["get", "Upstream", "plain", "-o", "yaml"]);
    assert.match(stdout, /^metadata: \{ name: plain, generation: 1 \}\n# why\nspec: /m);
    assert.match(
      stdout,
      /^status:\n {2}observedGeneration: 1\n {2}conditions:\n {4}- type: Accepted\n {6}status: "True"\n/m,
    );
    const sent = await dnspolicy(["apply", "-f", "-"], { stdin: stdout.replace("port: 5", "port: 6") });
    assert.equal(sent.stdout, "Upstream/plain updated\nrevision 3 in force, acknowledged by 0 workers\n");
    const stored = (await dnspolicy(["get", "Upstream", "plain"])).stdout;
    assert.doesNotMatch(stored, /status|generation/);
    assert.match(stored, /# why/);
    const json = JSON.parse((await dnspolicy(["get", "Upstream", "plain", "-o", "json"])).stdout);
    assert.deepEqual([json.kind, json.metadata], ["Upstream", { name: "plain", generation: 2 }]);
    assert.equal(json.status.conditions[2].status, "Unknown");
    assert.equal(JSON.parse((await dnspolicy(["get", "-o", "json"])).stdout).length, 4);
    assert.equal((await dnspolicy(["get", "-o", "yaml"])).stdout.match(/^---$/gm)?.length, 4);
    assert.equal(
      (await dnspolicy(["get", "Upstream", "-o", "table"])).stdout,
      `KIND      NAME    GENERATION  REVISION  ACCEPTED  RESOLVEDREFS  PROGRAMMED
Upstream  plain   2           3         True      True          Unknown
Upstream  public  1           1         True      True          Unknown
`,
    );
  });

  it("explain a question", async () => {
    harness = await Harness.start();
    const from = ["--client", "127.0.1.7", "--type", "AAAA", "--transport", "dot"];
    const online = await dnspolicy(["explain", "--name", "www.x.com", ...from]);
    const expected = `www.x.com. AAAA over dot from 127.0.1.7, by revision 1
tenant frontend, as everybody with the same evidence from 127.0.1.0/24
denied: NXDOMAIN, EDE 15 (Blocked) "frontend/no-com/deny-com", TTL 30
by rule no-com/deny-com
and so for every name below com., every type, every transport

TIER    PRIORITY  POLICY            RULE      ACTION  FATE
Tenant  100       DnsPolicy/no-com  deny-com  Deny    decides
`;
    assert.deepEqual(online, { code: 0, stdout: expected, stderr: "" });
    const files = ["-f", await file("policy.yaml", POLICY)];
    const offline = await dnspolicy(["explain", "--name", "www.x.com", ...from, ...files]);
    assert.equal(offline.stdout, expected.replace("revision 1", "these files"));
    const other = await dnspolicy(["explain", "--name", "x.org", ...from]);
    assert.match(other.stdout, /\nforwarded to public \(DoT\)\nno rule decides\n.*no match: names\n$/s);
    const nobody = await dnspolicy(["explain", "--name", "x.org", "--client", "::1", "-o", "json"]);
    assert.deepEqual(JSON.parse(nobody.stdout).rules, []);
    for (const [args, code] of [
      [["--name", "a..b", ...from], 1],
      [["--name", "a..b", ...from, ...files], 2],
      [["--name", "a.b", ...from, "-f", await file("bad.yaml", TENANT)], 1],
      [["--name", "a.b"], 2],
    ] as const) {
      assert.equal((await dnspolicy(["explain", ...args])).code, code, args.join(" "));
    }
    const { stderr } = await dnspolicy(["explain", "--name", "a..b", ...from]);
    assert.match(stderr, /^request: name: expected no empty label, got one at character 3, got "a\.\.b"$/m);
  });

  it("say who is behind, and exit with 4", async () => {
    harness = await Harness.start();
    const envoy = new EnvoyPeer(harness.client(), "east");
    envoy.reject(await envoy.next(1), "no such thing");
    const worker = WorkerPeer.hello(harness.client(), { node: "east" });
    await worker.waitRevision(1);
    worker.ack(1);
    await until(() => harness.service.control.workers()[0]?.acknowledged === 1, "the acknowledgement");
    assert.equal((await dnspolicy(["status"])).code, 0);
    const applied = dnspolicy(["delete", "DnsPolicy", "no-com"]);
    await worker.waitRevision(2);
    worker.cancel();
    const { code, stderr } = await applied;
    assert.equal(code, 4);
    const until2 = new Date(harness.clock.now() + 600_000).toISOString();
    const line = `behind: worker 0000000000000001 of east (process 0000000000000001): revision 1, away, behind until ${until2}\n`;
    assert.ok(stderr.includes(line), stderr);
    assert.match(stderr, /^warning: Envoy east has rejected its clusters: no such thing$/m);
    const status = await dnspolicy(["status"]);
    assert.equal(status.code, 4);
    assert.match(
      status.stdout,
      /^revision 2 \([0-9a-f]{16}\), kept in .*store\nby tester \(claimed\), 2023-.*Z\nTenant: 1 of 1 programmed\nUpstream: 0 of 1/,
    );
    assert.match(
      status.stdout,
      /^pending: Upstream\/public, generation 1: Envoy east has rejected its clusters: no such/m,
    );
    assert.match(
      status.stdout,
      /^0 workers connected\neast \(process 0+1\): 0 of 1 worker connected, revision 1 or later\nbehind: /m,
    );
    assert.equal(JSON.parse((await dnspolicy(["status", "--json"])).stdout).sequence, 2);
  });

  it("tell workers of a drain", async () => {
    harness = await Harness.start();
    assert.equal((await dnspolicy(["drain", "--node", "east"])).stdout, "0 workers told\n");
  });

  it("use HTTP and a token", async () => {
    const credentials = new Credentials([{ name: "admin", role: "admin", digest: digestOf("secret") }]);
    const endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    harness = await Harness.start({ moreAdmin: [{ endpoint, credentials }] });
    const bound = harness.service.admin[1];
    const server = `http://127.0.0.1:${bound?.kind === "tcp" ? bound.port : 0}`;
    assert.equal((await dnspolicy(["status", "--server", server, "--token", "secret"])).code, 0);
    assert.equal(
      (await dnspolicy(["status", "--server", server], { environment: { DNSPOLICY_TOKEN: "secret" } })).code,
      0,
    );
    const refused = await dnspolicy(["status", "--server", server]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^dnspolicy: expected `Authorization: Bearer TOKEN`/);
    // More than a socket buffers: the answer comes before all of it is read.
    const large = await dnspolicy(["apply", "--server", server, "-f", "-"], { stdin: "#".repeat(8 * 2 ** 20) });
    assert.equal(large.code, 1);
    assert.match(large.stderr, /Bearer TOKEN/);
  });

  it("exit with 3 where there is no service", async () => {
    harness = await Harness.start();
    const nowhere = join(folder, "none.sock");
    assert.deepEqual(await dnspolicy(["status", "--server", `unix:${nowhere}`]), {
      code: 3,
      stdout: "",
      stderr: `dnspolicy: cannot reach the policy service at unix:${nowhere}: there is no such socket\n`,
    });
    assert.equal((await dnspolicy(["status", "--server", "http://127.0.0.1:1"])).code, 3);
  });

  it("exit with 2 for a command line that is not right", async () => {
    harness = await Harness.start();
    for (const args of [
      ["apply"],
      ["nothing"],
      ["status", "--what"],
      ["status", "--server", "ftp://x"],
      ["apply", "-f", join(folder, "none.yaml")],
      ["apply", "-f", folder],
      ["serve"],
      ["serve", "--store", folder, "--watch", folder],
      ["serve", "--store", folder, "--listen", "127.0.0.1:9000"],
      ["serve", "--store", folder, "--listen", "nonsense"],
      ["serve", "--store", folder, "--listen", `unix:/${"x".repeat(200)}`],
      ["serve", "--store", folder, "--admin", "127.0.0.1:9053"],
      ["serve", "--store", folder, "--admin-demo", "0.0.0.0:9053"],
      ["serve", "--store", folder, "--admin-tokens", join(folder, "none.yaml")],
      ["serve", "--store", folder, "--admin-tls-client-ca", join(folder, "none.pem")],
      ["serve", "--store", folder, "--audit-log", join(folder, "none", "audit.jsonl")],
      ["status", "--server", "https://localhost:1", "--tls-ca", join(folder, "none.pem")],
      ["serve", "--store", folder, "--admin-demo", "unix:/x"],
      ["serve", "--store", folder, "--tls-cert", "/none"],
      ["serve", "--store", folder, "--token", "a", "--token-file", "/none"],
      ["serve", "--store", folder, "--upstream-ca", join(folder, "none.pem")],
      ["serve", "--store", folder, "--last-good", "soon"],
    ]) {
      const { code, stderr } = await dnspolicy(args);
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.ok(stderr.length > 0);
    }
  });

  it("explain themselves", async () => {
    harness = await Harness.start();
    for (const args of [["--help"], ["apply", "--help"], ["serve", "--help"]]) {
      const { code, stdout } = await dnspolicy(args, { environment: { DNSPOLICY_TOKEN: "hidden" } });
      assert.equal(code, 0);
      assert.match(stdout, /Exit codes:/);
      assert.doesNotMatch(stdout, /hidden/);
    }
  });
});
