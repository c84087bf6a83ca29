import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { readPublicRoots } from "../../../extproc/cli/public-roots.ts";
import { type Identity, makeCertificates, SERVER_NAME, type TestCertificates } from "../../e2e/certificates.ts";
import { until } from "../server/harness.ts";
import { EnvoyPeer, WorkerPeer } from "../server/peers.ts";
import { POLICY, TENANT } from "../server/policies.ts";
import { batchOf, eventOf } from "../telemetry/events.ts";
import { Program, runCommand } from "./run-command.ts";

const UP = "the policy service is up";

describe("dnspolicy serve", () => {
  let folder: string;
  let programs: Program[];
  let clients: GrpcClient[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    programs = [];
    clients = [];
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    for (const program of programs) program.kill("SIGKILL");
    await Promise.all(programs.map((program) => program.end()));
    await rm(folder, { recursive: true });
  });

  const path = (name: string) => join(folder, name);
  const server = () => ["--server", `unix:${path("admin.sock")}`];

  function start(...args: string[]): Program {
    const listen = args.includes("--listen") ? [] : ["--listen", `unix:${path("grpc.sock")}`];
    const program = new Program(["serve", "--admin", `unix:${path("admin.sock")}`, ...listen, ...args]);
    programs.push(program);
    return program;
  }

  function grpc(
    target = `unix:${path("grpc.sock")}`,
    channel = credentials.createInsecure(),
    options = {},
  ): GrpcClient {
    const client = new GrpcClient(target, channel, { "grpc.use_local_subchannel_pool": 1, ...options });
    clients.push(client);
    return client;
  }

  it("keeps the policy over kill -9, under its number, and takes its sockets back", async () => {
    const first = start("--store", path("store"));
    await first.said(UP);
    assert.equal((await runCommand(["apply", "-f", "-", ...server()], { stdin: POLICY })).code, 0);
    const before = await runCommand(["status", ...server()]);
    first.kill("SIGKILL");
    await first.end();
    assert.ok((await stat(path("grpc.sock"))).isSocket());
    const second = start("--store", path("store"));
    await second.said(UP);
    const after = await runCommand(["status", ...server()]);
    assert.equal(after.stdout, before.stdout);
    assert.equal((await runCommand(["get", ...server()])).stdout.match(/^kind:/gm)?.length, 3);
    const worker = WorkerPeer.hello(grpc(), { obedient: true });
    await until(() => worker.revisions.length === 1, "the revision", 1e6);
    assert.equal((await stat(path("grpc.sock"))).mode & 0o777, 0o600);
    assert.equal((await stat(path("admin.sock"))).mode & 0o777, 0o600);
  });

  it("says in one line that somebody else listens", async () => {
    await start("--store", path("store")).said(UP);
    const { code, stderr } = await start("--store", path("other")).end();
    assert.equal(code, 2);
    const last = stderr.trimEnd().split("\n").at(-1);
    assert.equal(last, `dnspolicy: expected ${path("grpc.sock")} to be free, got a process that listens on it`);
  });

  it("logs queries, opens its log anew on SIGHUP, and ends streams and log on SIGTERM", async () => {
    const log = path("queries.jsonl");
    const program = start("--store", path("store"), "--query-log", log);
    await program.said(UP);
    const worker = WorkerPeer.hello(grpc());
    worker.report({ number: 1, events: batchOf(eventOf()) });
    await until(() => worker.reportAcks.length === 1, "the acknowledgement", 1e6);
    // SIGHUP flushes what came before it into the old file.
    await rename(log, `${log}.1`);
    program.kill("SIGHUP");
    await program.said("opened anew");
    worker.report({ number: 2, events: batchOf(eventOf({ tenant: "backend" }), eventOf()) });
    await until(() => worker.reportAcks.length === 2, "the acknowledgement", 1e6);
    program.kill("SIGTERM");
    const { code, stderr } = await program.end();
    assert.equal(code, 0, stderr);
    assert.equal((await worker.waitEnd()).code, 0);
    const lines = async (file: string) => (await readFile(file, "utf8")).trimEnd().split("\n");
    assert.equal((await lines(`${log}.1`)).length, 1);
    const after = await lines(log);
    assert.deepEqual(
      after.map((line) => JSON.parse(line).tenant),
      ["backend", "frontend"],
    );
    assert.equal((await stat(log)).mode & 0o777, 0o600);
    await assert.rejects(stat(path("grpc.sock")));
    await assert.rejects(stat(path("admin.sock")));
  });

  it("writes the query log to the standard output", async () => {
    const program = start("--store", path("store"), "--query-log", "-");
    await program.said(UP);
    const worker = WorkerPeer.hello(grpc());
    worker.report({ number: 1, events: batchOf(eventOf()) });
    await until(() => worker.reportAcks.length === 1, "the acknowledgement", 1e6);
    program.kill("SIGINT");
    const { code, stdout } = await program.end();
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).qname, "www.example.com.");
  });

  it("reads a directory that somebody else writes, and takes no changes", async () => {
    await mkdir(path("policies"));
    await writeFile(path("policies/all.yaml"), POLICY);
    const program = start("--watch", path("policies"));
    await program.said(UP);
    const status = await runCommand(["status", ...server()]);
    assert.match(status.stdout, /read from .*policies, read-only/);
    const refused = await runCommand(["apply", "-f", "-", ...server()], { stdin: TENANT });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /change it there/);
    const worker = WorkerPeer.hello(grpc(), { obedient: true });
    await until(() => worker.revisions.length === 1, "the revision", 1e6);
    await writeFile(path("policies/all.yaml"), POLICY.replace("*.com", "*.net"));
    await until(() => worker.revisions.length === 2, "the next revision", 1e7);
  });

  it("serves a TCP port to those with the token", async () => {
    const program = start("--store", path("store"), "--listen", "127.0.0.1:0", "--token", "secret");
    await program.said(UP);
    const target = portOf(program);
    const refused = WorkerPeer.hello(grpc(target));
    assert.equal((await refused.waitEnd()).code, 16);
    const admitted = WorkerPeer.hello(grpc(target), { token: "secret" });
    await until(() => admitted.revisions.length === 1, "the revision", 1e6);
  });

  it("serves a TCP port to those with a certificate", async () => {
    const made: TestCertificates = await makeCertificates(folder);
    const { certFile, keyFile } = made.server;
    const tls = ["--tls-cert", certFile, "--tls-key", keyFile, "--tls-client-ca", made.caFile];
    const program = start("--store", path("store"), "--listen", "127.0.0.1:0", ...tls);
    await program.said(UP);
    const target = portOf(program);
    const named = { "grpc.ssl_target_name_override": SERVER_NAME, "grpc.default_authority": SERVER_NAME };
    const client = await made.client(["spiffe://cluster.local/ns/dns/sa/envoy"]);
    const [ca, key, cert] = [made.ca, client.key, client.cert].map((text) => Buffer.from(text));
    assert.ok(ca && key && cert);
    const admitted = new EnvoyPeer(grpc(target, credentials.createSsl(ca, key, cert), named));
    await until(() => admitted.received.length === 1, "the clusters", 1e6);
    const anonymous = new EnvoyPeer(grpc(target, credentials.createSsl(ca), named));
    assert.equal((await anonymous.waitEnd()).code, 14);
  });

  it("serves the admin API by TLS to tokens and certificates, each in its role, and writes down who", async () => {
    const made: TestCertificates = await makeCertificates(folder);
    const principal = "spiffe://cluster.local/ns/ops/sa/robot";
    const [robot, stranger, two] = [
      await made.client([principal]),
      await made.client(["spiffe://cluster.local/ns/ops/sa/other"]),
      await made.client([principal, "spiffe://cluster.local/ns/ops/sa/other"]),
    ];
    const tokens = path("tokens.yaml");
    const sha256 = (token: string) => createHash("sha256").update(token).digest("hex");
    const entry = (name: string, more: string) => `- { name: ${name}, ${more} }\n`;
    const first = entry("robot", `role: admin, principal: "${principal}"`);
    await writeFile(tokens, first + entry("eve", `role: viewer, sha256: ${sha256("eve-secret")}`));
    const { certFile, keyFile } = made.server;
    const files = ["--admin-tls-cert", certFile, "--admin-tls-key", keyFile, "--admin-tls-client-ca", made.caFile];
    const logs = ["--admin-tokens", tokens, "--audit-log", path("audit.jsonl")];
    const program = start("--store", path("store"), "--admin", "localhost:0", ...files, ...logs);
    await program.said(UP);
    const line = program.log.split("\n").find((each) => each.includes(UP)) ?? "{}";
    const address = `https://${JSON.parse(line).admin[1]}`;
    const call = (args: string[], ...how: string[]) =>
      runCommand([...args, "--server", address, "--tls-ca", made.caFile, ...how], { stdin: POLICY });
    const by = (identity: Identity) => ["--tls-cert", identity.certFile, "--tls-key", identity.keyFile];
    const apply = ["apply", "-f", "-"];
    const applied = await call(apply, ...by(robot));
    assert.equal(applied.code, 0, applied.stderr);
    assert.match((await call(["history"], ...by(robot))).stdout, / {2}robot {2}/);
    assert.match(
      (await call(apply, ...by(stranger))).stderr,
      /expected a principal with a role, got spiffe:.*other\n$/,
    );
    assert.match(
      (await call(apply, ...by(two))).stderr,
      /or a client certificate with one URI, got nothing of the kind/,
    );
    assert.equal((await call(["status"], "--token", "eve-secret")).code, 0);
    assert.match((await call(apply, "--token", "eve-secret")).stderr, /expected the role editor, got viewer \(eve\)/);
    assert.equal((await runCommand(["status", "--server", address])).code, 3);
    // Tokens are read anew; a file that is not right changes nothing.
    await writeFile(tokens, first + entry("eve", "role: boss"));
    program.kill("SIGHUP");
    await program.said("stays as it was");
    assert.equal((await call(["status"], "--token", "eve-secret")).code, 0);
    await writeFile(tokens, first);
    program.kill("SIGHUP");
    await program.said("is read anew");
    assert.equal((await call(["status"], "--token", "eve-secret")).code, 1);
    const lines = (await readFile(path("audit.jsonl"), "utf8"))
      .trimEnd()
      .split("\n")
      .map((each) => JSON.parse(each));
    assert.deepEqual(
      lines.map(({ who, by, result, status }) => [who, by, result, status]),
      [
        ["robot", "certificate", "done", 200],
        ["", "nothing", "refused", 403],
        ["", "nothing", "refused", 401],
        ["eve", "token", "refused", 403],
      ],
    );
    assert.equal((await stat(path("audit.jsonl"))).mode & 0o777, 0o600);
  });

  function portOf(program: Program): string {
    const line = program.log.split("\n").find((each) => each.includes(UP)) ?? "{}";
    return JSON.parse(line).listen[0];
  }
});

describe("the public authorities", () => {
  it("are those of a file of this machine, or Node's", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    const file = join(folder, "roots.pem");
    await writeFile(file, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
    assert.match(await readPublicRoots([join(folder, "none"), file]), /\nx\n/);
    assert.ok((await readPublicRoots([])).split("BEGIN CERTIFICATE").length > 50);
    await rm(folder, { recursive: true });
  });
});
