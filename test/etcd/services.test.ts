/**
 * Two policy services with one real etcd as their store.
 */
import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { type EtcdFlags, readEtcd } from "../../extproc/cli/etcd-flags.ts";
import { Etcd } from "../../extproc/etcd/etcd.ts";
import { makeCertificates } from "../e2e/certificates.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { ServicePrograms } from "../extproc/cli/service-programs.ts";
import { WorkerPeer } from "../extproc/server/peers.ts";
import { EtcdServer, HAS_ETCD } from "./etcd-server.ts";

const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: { name: public }
spec: { protocol: TCP, servers: [{ address: 127.0.0.1 }] }
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: { name: shop }
spec: { match: [{ cidrs: [127.0.1.0/24] }], namespaces: [shop], upstream: public, isolation: { discover: All } }
---
apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: { name: default }
spec: { mesh: { virtualAddresses: { ipv4: 240.240.0.0/24, ipv6: '2001:2::/48' } } }
`;

const denying = (name: string) => `apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: { name: own }
spec: { priority: 1, subject: { tenants: [shop] }, rules: [{ name: a, match: { names: ['${name}'] }, action: Deny }] }
`;

function entries(from: number, to: number, port = 80): string {
  return Array.from({ length: to - from }, (_, index) => {
    const name = `e${from + index}`;
    return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: shop }
spec: { hosts: [${name}.example], resolution: DNS, ports: [{ number: ${port}, name: http }] }
`;
  }).join("---\n");
}

if (HAS_ETCD) {
  describe("two policy services with etcd as their store", function () {
    this.timeout(120_000);
    let etcd: EtcdServer;
    let services: ServicePrograms;
    const clients: GrpcClient[] = [];

    before(async () => {
      etcd = await EtcdServer.start();
      const folder = await mkdtemp(join(tmpdir(), "dnspolicy-etcd-services-"));
      services = new ServicePrograms(folder, () => ["--store-etcd", etcd.url]);
      await services.start("a", "b");
    });
    afterEach(function () {
      if (this.currentTest?.state === "failed") services.printLogs();
    });
    after(async () => {
      for (const client of clients) client.close();
      await services.close();
      await etcd.stop();
    });

    const apply = (name: string, text: string) => services.tell(name, text, "apply", "-f", "-");

    function connect(name: string, obedient: boolean): WorkerPeer {
      const client = new GrpcClient(`unix:${services.socket(name, "grpc")}`, credentials.createInsecure());
      clients.push(client);
      return WorkerPeer.hello(client, { node: name, obedient });
    }

    /** By the name of an entry, as the service has them. */
    async function addressesOf(name: string): Promise<Map<string, string>> {
      const { stdout } = await services.ask(name, "get", "ServiceEntry", "-o", "json");
      const items = JSON.parse(stdout) as readonly {
        metadata: { name: string };
        status?: { addresses?: readonly { value: string }[] };
      }[];
      return new Map(
        items.flatMap(({ metadata, status }) => {
          const [first] = status?.addresses ?? [];
          return first === undefined ? [] : [[metadata.name, first.value] as const];
        }),
      );
    }

    const haveAddresses = (count: number, ...names: readonly string[]) =>
      Promise.all(
        names.map((name) =>
          eventually(40_000, `${count} addresses in ${name}`, async () => (await addressesOf(name)).size === count),
        ),
      );

    function leaderAndOther(): readonly [leader: string, other: string] {
      const lastOf = (name: string, text: string) => services.programs.get(name)?.log.lastIndexOf(text) ?? -1;
      const leads = (name: string) => lastOf(name, "this service leads") > lastOf(name, "does not lead any more");
      return leads("a") ? ["a", "b"] : ["b", "a"];
    }

    it("have in force what was applied to one of them", async () => {
      const empty = await services.agreed();
      assert.equal((await apply("a", POLICY)).code, 0);
      assert.equal((await apply("b", denying("*.com"))).code, 0);
      assert.equal((await services.agreed(empty.sequence)).sequence, empty.sequence + 2);
      const { stdout } = await services.ask("a", "explain", "--client", "127.0.1.1", "--name", "www.example.com");
      assert.match(stdout, /by rule own\/a/);
      const history = await services.ask("a", "history");
      assert.deepEqual((await services.ask("b", "history")).stdout, history.stdout);
    });

    it("answer when workers of both obey, and say who does not", async () => {
      connect("a", true);
      const slow = connect("b", false);
      await eventually(10_000, "a knows the worker of b", async () =>
        /behind revision \d+: worker \d+ of b, of 2 workers/.test(
          (await services.ask("a", "get", "Tenant", "shop", "-o", "yaml")).stdout,
        ),
      );
      const { sequence } = await services.agreed();
      slow.ack(sequence);
      let answered = false;
      const applying = apply("a", denying("*.net")).finally(() => {
        answered = true;
      });
      await slow.waitRevision(sequence + 1);
      assert.equal(answered, false);
      slow.ack(sequence + 1);
      const { code, stdout, stderr } = await applying;
      assert.equal(code, 0, stderr);
      assert.match(stdout, /2 workers/);
    });

    it("have the objects of the mesh that one was given", async () => {
      const service =
        "apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\nspec: { clusterIP: 10.0.0.1, ports: [{ port: 80 }] }\n";
      assert.equal((await apply("a", service)).code, 0);
      await eventually(5000, "b has it", async () =>
        (await services.ask("b", "get", "Service", "shop/web")).stdout.includes("10.0.0.1"),
      );
      assert.equal((await services.ask("b", "delete", "Service", "shop/web")).code, 0);
      await eventually(
        5000,
        "a has it no more",
        async () => (await services.ask("a", "get", "Service", "shop/web")).code !== 0,
      );
    });

    it("know a machine that has registered with one of them, until it does not beat any more", async () => {
      const chosen = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: pay, namespace: shop }
spec: { hosts: [pay.example], addresses: [10.9.9.9], resolution: STATIC, location: MESH_INTERNAL, workloadSelector: { labels: { app: pay } }, ports: [{ number: 80, name: http }] }
`;
      assert.equal((await apply("a", chosen)).code, 0);
      const entry = async () => (await services.ask("b", "get", "WorkloadEntry", "shop/pay-1")).stdout;
      const beat = { service: "pay", address: "10.1.0.1", ttl: "3s" };
      assert.equal(await services.put("a", "/v1/workloads/shop/pay-1", beat), 200);
      await eventually(2000, "b knows it", async () => (await entry()).includes("10.1.0.1"));
      assert.equal(await services.put("b", "/v1/workloads/shop/pay-1", { ...beat, address: "10.1.0.2" }), 200);
      assert.match(await entry(), /10\.1\.0\.2/);
      await eventually(10_000, "it is gone", async () => (await entry()) === "");
      assert.equal((await services.ask("b", "delete", "ServiceEntry", "shop/pay")).code, 0);
    });

    it("give virtual addresses once, whoever leads, move none, and lend none that was just given back", async () => {
      assert.equal((await apply("a", entries(0, 60))).code, 0);
      await haveAddresses(60, "a", "b");
      const before = await addressesOf("a");
      const released = before.get("e7");
      before.delete("e7");
      assert.equal((await services.ask("a", "delete", "ServiceEntry", "shop/e7")).code, 0);
      const client = await etcd.client("/dnspolicy/");
      await eventually(10_000, "it is written down", async () => {
        const isKept = (await client.get("addresses/shop/e7")) !== undefined;
        return !isKept && (await client.get("released-addresses")) !== undefined;
      });
      client.close();
      const [first, second] = leaderAndOther();
      // Of these, some are given by the one and some by the other.
      const adding = apply(second, entries(60, 160));
      await services.end(first, "SIGKILL");
      assert.equal((await adding).code, 0);
      // Written anew, with something else in it.
      assert.equal((await apply(second, entries(20, 50, 8080))).code, 0);
      await services.start(first);
      await haveAddresses(159, first, second);
      // What leads now has been told of nothing that was before, but by etcd; and leads at once.
      assert.equal(await services.end(second, "SIGTERM"), 0);
      await eventually(5000, "another leads", () => leaderAndOther()[0] === first);
      // 254 are there, and one is nobody's for a day.
      assert.equal((await apply(first, entries(200, 300))).code, 0);
      await haveAddresses(253, first);
      const after = await addressesOf(first);
      for (const [entry, address] of before) assert.equal(after.get(entry), address, entry);
      assert.equal(new Set(after.values()).size, 253);
      assert.ok(![...after.values()].includes(released ?? ""));
      await services.start(second);
      await haveAddresses(253, second);
      assert.deepEqual(await addressesOf(second), after);
      // What ends one stream must not end all others of the client.
      for (const { log } of services.programs.values()) assert.ok(!log.includes("Connection dropped"), log);
    });

    it("go on while etcd is away, refuse changes, and say so", async () => {
      const before = await services.agreed();
      assert.match(await services.metricsOf("a"), /^dns_policy_problems 0$/m);
      await etcd.kill();
      await eventually(15_000, "it is told", async () => (await services.statusOf("a")).problems.length > 0);
      assert.match(await services.metricsOf("a"), /^dns_policy_problems 1$/m);
      assert.match((await services.ask("a", "status")).stdout, /held back: .*etcd cannot be read since/);
      const refused = await apply("a", denying("*.info"));
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /the store cannot be reached/);
      assert.match((await apply("b", entries(0, 1, 443))).stderr, /the store cannot be reached/);
      assert.equal((await services.statusOf("a")).sequence, before.sequence);
      await etcd.restart();
      await eventually(20_000, "it is well again", async () => (await apply("b", denying("*.info"))).code !== 1);
      await services.agreed(before.sequence);
      assert.equal((await services.statusOf("a")).problems.length, 0);
    });
  });

  describe("an etcd that asks who is there", function () {
    this.timeout(60_000);

    it("is a store by certificates, or by a name and its password", async () => {
      const folder = await mkdtemp(join(tmpdir(), "dnspolicy-etcd-secured-"));
      const { ca, caFile, server, client } = await makeCertificates(folder);
      const mine = await client(["spiffe://cluster.local/ns/dns/sa/policy"]);
      const flags = ["--cert-file", server.certFile, "--key-file", server.keyFile];
      const etcd = await EtcdServer.start([...flags, "--client-cert-auth", "--trusted-ca-file", caFile]);
      const passwordFile = join(folder, "password");
      await writeFile(passwordFile, "secret\n");
      const of = { storeEtcd: etcd.url, etcdPrefix: "/own" };
      const secured = { ...of, etcdCacert: caFile, etcdCert: mine.certFile, etcdKey: mine.keyFile };
      const user = { ...secured, etcdUser: "policy", etcdPasswordFile: passwordFile };
      const use = async (flags: EtcdFlags) => {
        const client = await Etcd.open(await readEtcd(flags, undefined));
        try {
          await client.change([], [{ put: "a", value: "b" }]);
          assert.equal((await client.get("a"))?.value.toString(), "b");
        } finally {
          client.close();
        }
      };
      try {
        await assert.rejects(use({ ...of, etcdCacert: caFile }), /UNAVAILABLE/);
        await use(secured);
        await etcd.addUser({ ca, identity: mine }, { name: "policy", password: "secret", prefix: "/own/" });
        await assert.rejects(use(secured), /permission denied/);
        await use(user);
        await assert.rejects(use({ ...user, etcdPrefix: "/other" }), /permission denied/);
        await writeFile(passwordFile, "wrong\n");
        await assert.rejects(use(user), /authentication failed/);
      } finally {
        await etcd.stop();
      }
    });
  });
}
