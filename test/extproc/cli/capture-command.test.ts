import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

describe("dnspolicy capture", () => {
  it("shows the rules before they are there", async () => {
    const { code, stdout } = await runCommand([
      ..."capture install --with iptables --uid 1337 --mark 0x539 --port 15053 --dry-run".split(" "),
    ]);
    assert.equal(code, 0);
    assert.deepEqual(
      stdout
        .split("\n")
        .filter((line) => line.startsWith("-A"))
        .slice(0, 4),
      [
        "-A DNSPOLICY -m owner --uid-owner 1337 -j RETURN",
        "-A DNSPOLICY -m mark --mark 0x539 -j RETURN",
        "-A DNSPOLICY -p udp -m udp --dport 53 -j REDIRECT --to-ports 15053",
        "-A DNSPOLICY -p tcp -m tcp --dport 53 -j REDIRECT --to-ports 15053",
      ],
    );
    const nft = await runCommand("capture install --uid 1337 --dry-run".split(" "));
    assert.match(nft.stdout, /^table inet dnspolicy\ndelete table inet dnspolicy\ntable inet dnspolicy \{/);
    assert.match(nft.stdout, /meta skuid 1337 return/);
  });

  it("brings connections to virtual addresses to Envoy where it is asked to, each family to its own", async () => {
    const install = (...words: string[]) =>
      runCommand(["capture", "install", "--dry-run", "--uid", "1", "--virtual-port", "15002", ...words]);
    const { stdout } = await install("--with", "iptables", "--resolver-port", "15054");
    const rules = stdout.split("\n").filter((line) => line.startsWith("-A") && !/dport 53|uid/.test(line));
    assert.deepEqual(rules, [
      "-A DNSPOLICY -d 127.0.0.1/32 -p tcp -m tcp --dport 15054 -j REDIRECT --to-ports 1053",
      "-A DNSPOLICY -d 240.240.0.0/16 -p tcp -j REDIRECT --to-ports 15002",
      "-A DNSPOLICY -d 2001:2::/48 -p tcp -j REDIRECT --to-ports 15002",
    ]);
    const nft = await install("--virtual-range", "10.9.0.0/24");
    assert.match(nft.stdout, /ip daddr 10\.9\.0\.0\/24 meta l4proto tcp redirect to :15002/);
    assert.doesNotMatch(nft.stdout, /240\.240|ip6/);
  });

  for (const [words, expected] of [
    ["install", "expected --uid or --mark of Envoy"],
    ["install --uid envoy", "--uid: expected a number from 0 to 4294967294, got envoy"],
    ["install --uid 1 --port 0", "--port: expected a number from 1 to 65535, got 0"],
    ["install --uid 1 --virtual-range 10.0.0.0/8", "--virtual-range: expected --virtual-port beside it"],
    ["install --uid 1 --virtual-port 1 --virtual-range 10.0.0.1/8", "--virtual-range: expected no bits beyond"],
    ["install --uid 1 --mark 0", "--mark: expected a number from 1 to 4294967295, got 0"],
    ["install --with resolv-conf --nameserver ns.example", "--nameserver: expected an address, got ns.example"],
  ] as const) {
    it(`refuses ${words}`, async () => {
      const { code, stderr } = await runCommand(["capture", ...words.split(" ")]);
      assert.equal(code, 2);
      assert.ok(stderr.includes(expected), stderr);
    });
  }

  describe("by a file", () => {
    let folder: string;
    let file: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
      file = join(folder, "resolv.conf");
    });
    afterEach(() => rm(folder, { recursive: true }));

    const capture = (task: string, ...more: string[]) =>
      runCommand(["capture", task, "--with", "resolv-conf", "--file", file, ...more]);

    for (const text of [
      "# by hand\nnameserver 10.0.0.53\nsearch a.example b.example\n nameserver fd00::53\noptions ndots:5\n",
      "nameserver 10.0.0.53",
      "",
    ]) {
      it(`puts back ${JSON.stringify(text)}`, async () => {
        await writeFile(file, text);
        assert.equal((await capture("check")).code, 1);
        assert.equal((await capture("install", "--nameserver", "127.0.0.2", "--nameserver", "::1")).code, 0);
        const once = await readFile(file, "utf8");
        const servers = once.split("\n").filter((line) => /^\s*nameserver/.test(line));
        assert.deepEqual(servers, ["nameserver 127.0.0.2", "nameserver ::1"]);
        assert.equal(once.includes("\noptions ndots:5"), text.includes("\noptions ndots:5"));
        await capture("install", "--nameserver", "127.0.0.2", "--nameserver", "::1");
        assert.equal(await readFile(file, "utf8"), once, "once more changes nothing");
        const other = await capture("check");
        assert.equal(other.code, 1);
        assert.match(other.stdout, /by other addresses/);
        await capture("remove");
        assert.equal((await readFile(file, "utf8")).trimEnd(), text.trimEnd());
        await capture("remove");
        assert.equal((await readFile(file, "utf8")).trimEnd(), text.trimEnd());
      });
    }
  });
});
