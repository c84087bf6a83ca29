/**
 * The Kubernetes API as the store: two services of one, with the rights that envoy/kubernetes/store gives them.
 */
import assert from "node:assert/strict";
import { credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { stringify } from "yaml";
import { eventually } from "../e2e/clients/deadline.ts";
import { WorkerPeer } from "../extproc/server/peers.ts";
import { Cluster, ENTRIES_OF, REAL_API } from "./cluster.ts";
import { NAMESPACE, one, type Stored, StoreServices } from "./services.ts";

const UPSTREAM = one(
  "kind: Upstream\nmetadata: { name: public }\nspec: { protocol: TCP, servers: [{ address: 127.0.0.1 }] }\n",
);
const SHOP = one(
  "kind: Tenant\nmetadata: { name: shop }\nspec: { match: [{ cidrs: [127.0.1.0/24] }], namespaces: [shop], upstream: public }\n",
);
const BANK = one(
  "kind: Tenant\nmetadata: { name: bank }\nspec: { match: [{ cidrs: [127.0.2.0/24] }], namespaces: [bank], upstream: public }\n",
);
const SETTINGS = one(
  "kind: Settings\nmetadata: { name: default }\nspec: { mesh: { virtualAddresses: { ipv4: 240.240.0.0/24, ipv6: '2001:2::/48' } } }",
);
const policy = (namespace: string, tenant: string, name = "own", priority = 1) =>
  one(
    `kind: DnsPolicy\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { priority: ${priority}, subject: { tenants: [${tenant}] }, rules: [{ name: a, match: { names: ["*.com"] }, action: Deny }] }\n`,
  );
const OF_SHOP = policy("shop", "shop");
const OF_BANK = policy("bank", "bank");

const ENTRIES = ENTRIES_OF("shop");

interface ServiceEntry {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly addresses?: readonly { readonly value: string }[] };
}

if (REAL_API !== undefined) {
  describe("the Kubernetes API as the store", function () {
    this.timeout(120_000);
    let cluster: Cluster;
    let services: StoreServices;
    let clients: GrpcClient[];

    before(async () => {
      cluster = await Cluster.open();
      clients = [];
      for (const name of ["shop", "bank"]) await cluster.addNamespace(name);
      await cluster.addServiceEntries();
      services = await StoreServices.open(cluster);
      await services.start("a", "b");
    });
    afterEach(function () {
      if (this.currentTest?.state === "failed") services.printLogs();
    });
    after(async () => {
      for (const client of clients) client.close();
      await cluster.api.request("DELETE", ENTRIES);
      for (const resource of [OF_SHOP, OF_BANK, SHOP, BANK, UPSTREAM, SETTINGS]) await cluster.delete(resource);
      await services.close();
    });

    async function entries(): Promise<readonly ServiceEntry[]> {
      return (await cluster.api.get<{ items: readonly ServiceEntry[] }>(ENTRIES)).items;
    }

    async function addEntries(from: number, to: number): Promise<void> {
      for (let at = from; at < to; at++) {
        const spec = { hosts: [`h${at}.example`], resolution: "DNS", ports: [{ number: 80, name: "http" }] };
        await cluster.api.request("POST", ENTRIES, {
          ...{ apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name: `e${at}` }, spec },
        });
      }
    }

    it("puts objects in force in every service, under one number", async () => {
      const empty = await services.agreed();
      for (const resource of [OF_SHOP, OF_BANK, SHOP, BANK, UPSTREAM]) await cluster.create(resource);
      for (const resource of [OF_SHOP, OF_BANK, SHOP, BANK, UPSTREAM]) await services.told(resource, "True Accepted");
      assert.ok((await services.agreed(empty.sequence)).sequence > empty.sequence);
      const { stdout } = await services.ask("b", "explain", "--client", "127.0.1.1", "--name", "www.example.com");
      assert.match(stdout, /denied.*\n?.*by rule shop\.own\/a/s);
    });

    it("is programmed when the workers of all services have acknowledged", async () => {
      assert.equal(await services.told(UPSTREAM, "Unknown NoWorkers", "Programmed"), "no worker is known");
      const connect = (name: string, obedient: boolean) => {
        const client = new GrpcClient(`unix:${services.socket(name, "grpc")}`, credentials.createInsecure());
        clients.push(client);
        return WorkerPeer.hello(client, { node: name, obedient });
      };
      const slow = connect("b", false);
      assert.match(
        await services.told(UPSTREAM, "False Pending", "Programmed"),
        /behind revision \d+: worker \d+ of b/,
      );
      connect("a", true);
      slow.ack((await services.agreed()).sequence);
      await services.told(UPSTREAM, "True Programmed", "Programmed");
      await services.told(OF_SHOP, "True Programmed", "Programmed");
    });

    it("writes no status that is as it was", async () => {
      const all = [OF_SHOP, OF_BANK, SHOP, BANK, UPSTREAM];
      const versions = async () =>
        Promise.all(all.map(async (one) => (await cluster.get<Stored>(one)).metadata.resourceVersion));
      const before = await versions();
      await new Promise((resolve) => setTimeout(resolve, 3500));
      assert.deepEqual(await versions(), before);
    });

    it("refuses what is not an object, and says who takes it", async () => {
      const { code, stderr } = await services.tell("a", stringify(SHOP), "apply", "-f", "-");
      assert.equal(code, 1);
      assert.match(stderr, /the policy is read from the Kubernetes API, by kubectl: change it there/);
    });

    it("keeps all that is in force while an object of the cluster is wrong, and says where", async () => {
      const before = await services.agreed();
      await cluster.patch(SHOP, { spec: { upstream: "nowhere" } });
      await cluster.patch(BANK, { spec: { cache: "Own" } });
      assert.match(await services.told(SHOP, "False Invalid"), /^spec\.upstream: expected .*nowhere/);
      assert.match(await services.told(BANK, "Unknown Held"), /held back by Tenant\/shop: spec\.upstream/);
      assert.equal((await services.agreed()).sequence, before.sequence);
      await cluster.patch(SHOP, { spec: { upstream: "public" } });
      await services.told(SHOP, "True Accepted");
      await services.told(BANK, "True Accepted");
      await services.agreed(before.sequence);
    });

    it("lets no tenant's mistake hold back others", async () => {
      const before = await services.agreed();
      const rules = [{ name: "a", match: { names: ["*.net"] }, action: "Route", route: { upstream: "nowhere" } }];
      await cluster.patch(OF_SHOP, { spec: { rules } });
      assert.match(
        await services.told(OF_SHOP, "False Invalid"),
        /^spec\.rules\[0\]\.route\.upstream: expected .*nowhere/,
      );
      await cluster.patch(OF_BANK, { spec: { priority: 2 } });
      await services.told(OF_BANK, "True Accepted");
      const after = await services.agreed(before.sequence);
      const { stdout } = await services.ask("a", "get", "DnsPolicy", "shop.own", "-o", "yaml");
      assert.match(stdout, /\*\.com/, "what was in force of it stays");
      assert.ok(after.sequence > before.sequence);
      await cluster.patch(OF_SHOP, { spec: { rules: OF_SHOP.spec.rules } });
      await services.told(OF_SHOP, "True Accepted");
    });

    it("takes a tenant's policy from a namespace of that tenant alone, or from its own", async () => {
      const foreign = policy("bank", "shop", "foreign");
      const own = policy("dns-policy", "shop", "by-administrators", 7);
      await cluster.create(foreign);
      await cluster.create(own);
      assert.match(await services.told(foreign, "False NotPermitted"), /bank is none of its spec\.namespaces/);
      await services.told(own, "True Accepted");
      for (const resource of [foreign, own]) await cluster.delete(resource);
    });

    it("goes on when the leader is killed, with what was in force, though an object is wrong", async () => {
      await cluster.patch(SHOP, { spec: { upstream: "nowhere" } });
      await services.told(SHOP, "False Invalid");
      const before = await services.agreed();
      const [leader, other] = await services.leaderAndOther();
      await services.end(leader, "SIGKILL");
      await services.programs.get(other)?.said("this service leads");
      await services.start(leader);
      assert.equal((await services.agreed()).sequence, before.sequence);
      const { stdout } = await services.ask(leader, "get", "Tenant", "shop");
      assert.match(stdout, /upstream: public/);
      await cluster.patch(SHOP, { spec: { upstream: "public" } });
      await services.told(SHOP, "True Accepted");
      await cluster.patch(OF_BANK, { spec: { priority: 3 } });
      await services.told(OF_BANK, "True Accepted");
      await services.agreed(before.sequence);
    });

    it("gives virtual addresses once, whoever leads", async () => {
      await cluster.create(SETTINGS);
      await cluster.patch(SHOP, { spec: { isolation: { discover: "All" } } });
      await services.told(SHOP, "True Accepted");
      const haveAddresses = (count: number) =>
        eventually(40_000, `${count} addresses`, async () => {
          const all = await entries();
          return all.length === count && all.every(({ status }) => status?.addresses?.length === 2);
        });
      const addressOf = async () =>
        new Map((await entries()).map(({ metadata, status }) => [metadata.name, status?.addresses?.[0]?.value ?? ""]));
      await addEntries(0, 60);
      await haveAddresses(60);
      const before = await addressOf();
      const [leader] = await services.leaderAndOther();
      // Of these, some are given by the one and some by the other.
      const adding = addEntries(60, 160);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await services.end(leader, "SIGKILL");
      await adding;
      await haveAddresses(160);
      await services.start(leader);
      const after = await addressOf();
      for (const [name, address] of before) assert.equal(after.get(name), address, name);
      assert.equal(new Set(after.values()).size, 160);
      // 160 of 255: many of them hash to an address that is given.
      for (const name of ["a", "b"]) {
        const used = async () => (await services.statusOf(name)).mesh.virtualAddresses.used;
        await eventually(10_000, `160 addresses in ${name}`, async () => (await used()) === 160);
      }
    });

    it("gives an address that was given back to nobody else, whoever is started anew", async () => {
      const [first] = await entries();
      const address = first?.status?.addresses?.[0]?.value;
      assert.ok(first !== undefined && address !== undefined);
      await cluster.api.request("DELETE", `${ENTRIES}/${first.metadata.name}`);
      const kept = `/api/v1/namespaces/${NAMESPACE}/configmaps/dns-policy-released-addresses`;
      await eventually(10_000, "it is written down", async () => (await cluster.api.get(kept)) !== undefined);
      for (const name of ["a", "b"]) await services.end(name, "SIGTERM");
      await services.start("a", "b");
      // 254 of 255 are left, and with this one's, 253: 159 are in use.
      await addEntries(200, 200 + 96);
      const given = async () => (await entries()).filter(({ status }) => status?.addresses !== undefined);
      await eventually(40_000, "253 addresses", async () => (await given()).length === 253);
      for (const { metadata, status } of await given()) {
        assert.ok(!status?.addresses?.some(({ value }) => value === address), metadata.name);
      }
    });

    it("hands over at once when the leader ends", async () => {
      const [leader, other] = await services.leaderAndOther();
      assert.equal(await services.end(leader, "SIGTERM"), 0);
      // A Lease that is not given back is another's after 10 s.
      await eventually(5000, "another leader", async () => (await services.leaderAndOther())[0] === other);
    });
  });
}
