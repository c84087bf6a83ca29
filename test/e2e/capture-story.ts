/**
 * Told in a network and mount namespace of its own, as root: `capture-story.ts WAY DIRECTORY LOOKUP`. Envoy's user is root
 * here, and the programs that are captured are nobody's.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { runCommand } from "../extproc/cli/run-command.ts";
import { freePort } from "./ports.ts";
import { Stack } from "./stack.ts";

const [way = "", directory = "", lookup = ""] = process.argv.slice(2);
const run = promisify(execFile);
const NOBODY = 65_534;
/** Where there is no name server. */
const TOLD = { ipv4: "10.0.0.53", ipv6: "fd00::53" };
const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: pod}
spec: {match: [{cidrs: ["10.0.0.0/24", "fd00::/64", "127.0.0.1/32", "::1/128"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: pod}
spec:
  priority: 1
  subject: {tenants: [pod]}
  rules: [{name: com, match: {names: ["*.com"]}, action: Deny}]`;

async function ip(words: string): Promise<void> {
  await run("ip", words.split(" "));
}

await ip("link set lo up");
// Addresses and routes as a pod has them, on the one interface that every kernel has.
await ip("addr add 10.0.0.2/32 dev lo");
await ip("route add 10.0.0.0/24 dev lo src 10.0.0.2");
await ip("-6 addr add fd00::2/128 dev lo nodad");
await ip("-6 route add fd00::/64 dev lo src fd00::2");
const file = join(directory, `resolv.conf.${way}`);
const resolvConf = (server: string) => `nameserver ${server}\noptions timeout:1 attempts:1\n`;
await writeFile(file, resolvConf(TOLD.ipv4), { mode: 0o644 });
await run("mount", ["--bind", file, "/etc/resolv.conf"]);

// Upstream at port 53: what Envoy sends there is not sent back to it.
const ports = { tcp: 53, dot: await freePort(), doh: await freePort() };
const byFile = way === "resolv-conf";
const stack = await Stack.start({
  policy: POLICY,
  upstreams: {
    public: byFile ? { zone: "*.org 300 A 192.0.2.1" } : { protocol: "TCP", ports, zone: "*.org 300 A 192.0.2.1" },
  },
  bootstrap: { addresses: ["127.0.0.1", "::1"] },
  ...(byFile ? { dnsPort: 53 } : {}),
});

async function capture(task: string): Promise<number | null> {
  const settings = byFile ? ["--file", "/etc/resolv.conf"] : ["--port", `${stack.target.ports.udp}`, "--uid", "0"];
  const { code, stderr } = await runCommand(["capture", task, "--with", way, ...settings]);
  assert.equal(stderr, "");
  return code;
}

/** What a program prints, or how it fails. */
async function ask(command: string, ...words: string[]): Promise<string> {
  try {
    return (await run(command, words, { uid: NOBODY, gid: NOBODY })).stdout.trim();
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return `failed (${code}) ${stdout.trim()}`.trim();
  }
}
const byGlibc = async (name: string) => (await ask("getent", "ahostsv4", name)).replace(/\s.*/s, "");
const byMusl = (name: string) => ask(lookup, name);
const byDig = (...words: string[]) => ask("dig", "+noall", "+comments", "+answer", ...words);

try {
  assert.equal(await capture("check"), 1, "not there at first");
  assert.equal(await byGlibc("www.example.org"), "failed");

  assert.equal(await capture("install"), 0);
  assert.equal(await capture("install"), 0, "once more changes nothing");
  assert.equal(await capture("check"), 0);
  for (const server of byFile ? [] : [TOLD.ipv4, TOLD.ipv6]) {
    await writeFile(file, resolvConf(server));
    assert.equal(await byGlibc("www.example.org"), "192.0.2.1", server);
    assert.equal(await byMusl("www.example.org"), "192.0.2.1", server);
    assert.match(await byGlibc("www.example.com"), /^failed/);
    assert.match(await byMusl("www.example.com"), /^failed/);
    for (const transport of ["+notcp", "+tcp"]) {
      assert.match(await byDig(transport, `@${server}`, "x.org"), /x\.org\.\s+\d+\s+IN\s+A\s+192\.0\.2\.1/);
      assert.match(
        await byDig(transport, `@${server}`, "x.com"),
        /NXDOMAIN[\s\S]*EDE: 15 \(Blocked\): \(pod\/pod\/com\)/,
      );
    }
  }
  if (byFile) {
    assert.equal(await byGlibc("www.example.org"), "192.0.2.1");
    assert.equal(await byMusl("www.example.org"), "192.0.2.1");
    assert.match(await byMusl("www.example.com"), /^failed/);
  }
  const upstream = stack.upstream();
  assert.deepEqual(
    [...upstream.names].filter((name) => name.endsWith(".com")),
    [],
  );
  assert.ok(upstream.count > 0 && upstream.count < 20, `${upstream.count} questions upstream`);

  assert.equal(await capture("remove"), 0);
  assert.equal(await capture("remove"), 0, "once more changes nothing");
  assert.equal(await capture("check"), 1);
  assert.equal(await byGlibc("www.example.org"), "failed");
  console.log("told to the end");
} finally {
  await stack.stop();
}
