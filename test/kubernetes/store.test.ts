/**
 * The Kubernetes API as the store: two services of one, with the rights that envoy/kubernetes/store gives them.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { parse, parseAllDocuments, stringify } from "yaml";
import { eventually } from "../e2e/clients/deadline.ts";
import { Program, runCommand } from "../extproc/cli/run-command.ts";
import { WorkerPeer } from "../extproc/server/peers.ts";
import { Cluster, REAL_API, resourcesOf, type Written } from "./cluster.ts";

const ACCESS = join(import.meta.dirname, "../../envoy/kubernetes/store/access.yaml");
const HEAD = "apiVersion: dns.mesh/v1alpha1";

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

interface Stored {
  readonly metadata: { readonly resourceVersion: string; readonly generation: number };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

interface Status {
  readonly sequence: number;
  readonly hash: string;
}

function one(text: string): Written {
  const [resource] = resourcesOf(`${HEAD}\n${text}`);
  if (resource === undefined) throw new Error(`expected a resource, got ${text}`);
  return resource;
}

const UPSTREAM = one(
  "kind: Upstream\nmetadata: { name: public }\nspec: { protocol: TCP, servers: [{ address: 127.0.0.1 }] }\n",
);
const SHOP = one(
  "kind: Tenant\nmetadata: { name: shop }\nspec: { match: [{ cidrs: [127.0.1.0/24] }], namespaces: [shop], upstream: public }\n",
);
const BANK = one(
  "kind: Tenant\nmetadata: { name: bank }\nspec: { match: [{ cidrs: [127.0.2.0/24] }], namespaces: [bank], upstream: public }\n",
);
const policy = (namespace: string, tenant: string, name = "own", priority = 1) =>
  one(
    `kind: DnsPolicy\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { priority: ${priority}, subject: { tenants: [${tenant}] }, rules: [{ name: a, match: { names: ["*.com"] }, action: Deny }] }\n`,
  );
const OF_SHOP = policy("shop", "shop");
const OF_BANK = policy("bank", "bank");

const ENTRIES = "/apis/networking.istio.io/v1/namespaces/shop/serviceentries";

/** As Istio has it, as far as it matters here. */
const SERVICE_ENTRIES = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "serviceentries.networking.istio.io" },
  spec: {
    group: "networking.istio.io",
    scope: "Namespaced",
    names: { kind: "ServiceEntry", plural: "serviceentries" },
    versions: [
      {
        ...{ name: "v1", served: true, storage: true, subresources: { status: {} } },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

interface ServiceEntry {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly addresses?: readonly { readonly value: string }[] };
}

if (REAL_API !== undefined) {
  describe("the Kubernetes API as the store", function () {
    this.timeout(120_000);
    let cluster: Cluster;
    let folder: string;
    let programs: Map<string, Program>;
    let clients: GrpcClient[];

    before(async () => {
      cluster = await Cluster.open();
      folder = await mkdtemp(join(tmpdir(), "dnspolicy-store-"));
      programs = new Map();
      clients = [];
      for (const name of ["shop", "bank", "dns-policy"]) await cluster.addNamespace(name);
      await cluster.api.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", SERVICE_ENTRIES);
      await eventually(10_000, "ServiceEntries", async () => (await entries()).length === 0);
      await writeFile(join(folder, "kubeconfig"), await serviceConfig());
      for (const name of ["a", "b"]) await start(name);
    });
    afterEach(function () {
      if (this.currentTest?.state !== "failed") return;
      for (const [name, program] of programs) console.error(`service ${name}:\n${program.log}`);
    });
    after(async () => {
      for (const client of clients) client.close();
      for (const program of programs.values()) program.kill("SIGKILL");
      await Promise.all([...programs.values()].map((program) => program.end()));
      await rm(folder, { recursive: true });
    });

    async function entries(): Promise<readonly ServiceEntry[]> {
      return (await cluster.api.get<{ items: readonly ServiceEntry[] }>(ENTRIES)).items;
    }

    /** For the service's own account, bound as the manifest says. */
    async function serviceConfig(): Promise<string> {
      const folders: Record<string, string> = {
        ServiceAccount: "/api/v1/namespaces/dns-policy/serviceaccounts",
        ClusterRole: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        ClusterRoleBinding: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        Role: "/apis/rbac.authorization.k8s.io/v1/namespaces/dns-policy/roles",
        RoleBinding: "/apis/rbac.authorization.k8s.io/v1/namespaces/dns-policy/rolebindings",
      };
      for (const document of parseAllDocuments(await readFile(ACCESS, "utf8"))) {
        const { kind, ...object } = document.toJS() as { kind: string };
        const path = folders[kind];
        if (path !== undefined) await cluster.api.request("POST", path, { kind, ...object });
      }
      const account = "/api/v1/namespaces/dns-policy/serviceaccounts/dns-policy/token";
      const { status } = await cluster.api.request<{ status: { token: string } }>("POST", account, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: {},
      });
      const config = parse(await readFile(REAL_API ?? "", "utf8"));
      config.users[0].user = { token: status.token };
      config.contexts[0].context.namespace = "dns-policy";
      return stringify(config);
    }

    const place = (name: string, socket: string) => `unix:${join(folder, `${name}-${socket}.sock`)}`;

    async function start(name: string): Promise<void> {
      const sockets = ["--listen", place(name, "grpc"), "--admin", place(name, "admin")];
      const config = join(folder, "kubeconfig");
      const program = new Program(["serve", "--store-kubernetes", config, "--kubernetes", config, ...sockets]);
      programs.set(name, program);
      await program.said("the policy service is up");
    }

    const ask = (name: string, ...args: string[]) => runCommand([...args, "--server", place(name, "admin")]);

    async function statusOf(name: string): Promise<Status> {
      return JSON.parse((await ask(name, "status", "-o", "json")).stdout) as Status;
    }

    /** Resolved when both services have the same policy under the same number. */
    async function agreed(above = 0): Promise<Status> {
      let found: Status | undefined;
      await eventually(20_000, `a number above ${above} of both services`, async () => {
        const [a, b] = [await statusOf("a"), await statusOf("b")];
        found = a;
        return a.sequence > above && a.sequence === b.sequence && a.hash === b.hash;
      });
      if (found === undefined) throw new Error("expected a status");
      return found;
    }

    async function leaderAndOther(): Promise<readonly [leader: string, other: string]> {
      const path = "/apis/coordination.k8s.io/v1/namespaces/dns-policy/leases/dns-policy-leader";
      const { spec } = await cluster.api.get<{ spec: { holderIdentity: string } }>(path);
      const said = `"identity":"${spec.holderIdentity}"`;
      const [leader = ""] = [...programs].filter(([, { log }]) => log.includes(said)).map(([name]) => name);
      return [leader, leader === "a" ? "b" : "a"];
    }

    async function conditionOf(resource: Written, type = "Accepted"): Promise<Condition | undefined> {
      const { status, metadata } = await cluster.get<Stored>(resource);
      const condition = status?.conditions?.find((one) => one.type === type);
      return condition?.observedGeneration === metadata.generation ? condition : undefined;
    }

    async function told(resource: Written, wanted: string, type = "Accepted"): Promise<string> {
      let found: Condition | undefined;
      await eventually(20_000, `${resource.kind}/${resource.metadata.name}: ${type} ${wanted}`, async () => {
        found = await conditionOf(resource, type);
        return `${found?.status} ${found?.reason}` === wanted;
      }).catch((error: Error) => {
        throw new Error(`${error.message}, got ${JSON.stringify(found)}`);
      });
      return found?.message ?? "";
    }

    it("puts objects in force in every service, under one number", async () => {
      const empty = await agreed();
      for (const resource of [OF_SHOP, OF_BANK, SHOP, BANK, UPSTREAM]) await cluster.create(resource);
      for (const resource of [OF_SHOP, OF_BANK, SHOP, BANK, UPSTREAM]) await told(resource, "True Accepted");
      assert.ok((await agreed(empty.sequence)).sequence > empty.sequence);
      const { stdout } = await ask("b", "explain", "--client", "127.0.1.1", "--name", "www.example.com");
      assert.match(stdout, /denied.*\n?.*by rule shop\.own\/a/s);
    });

    it("is programmed when the workers of all services have acknowledged", async () => {
      assert.equal(await told(UPSTREAM, "Unknown NoWorkers", "Programmed"), "no worker is known");
      const connect = (name: string, obedient: boolean) => {
        const client = new GrpcClient(place(name, "grpc"), credentials.createInsecure());
        clients.push(client);
        return WorkerPeer.hello(client, { node: name, obedient });
      };
      const slow = connect("b", false);
      assert.match(await told(UPSTREAM, "False Pending", "Programmed"), /behind revision \d+: worker \d+ of b/);
      connect("a", true);
      slow.ack((await agreed()).sequence);
      await told(UPSTREAM, "True Programmed", "Programmed");
      await told(OF_SHOP, "True Programmed", "Programmed");
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
      const { code, stderr } = await runCommand(["apply", "-f", "-", "--server", place("a", "admin")], {
        stdin: `${HEAD}\n${stringify(SHOP)}`,
      });
      assert.equal(code, 1);
      assert.match(stderr, /the policy is read from the Kubernetes API, by kubectl: change it there/);
    });

    it("keeps all that is in force while an object of the cluster is wrong, and says where", async () => {
      const before = await agreed();
      await cluster.patch(SHOP, { spec: { upstream: "nowhere" } });
      await cluster.patch(BANK, { spec: { cache: "Own" } });
      assert.match(await told(SHOP, "False Invalid"), /^spec\.upstream: expected .*nowhere/);
      assert.match(await told(BANK, "Unknown Held"), /held back by Tenant\/shop: spec\.upstream/);
      assert.equal((await agreed()).sequence, before.sequence);
      await cluster.patch(SHOP, { spec: { upstream: "public" } });
      await told(SHOP, "True Accepted");
      await told(BANK, "True Accepted");
      await agreed(before.sequence);
    });

    it("lets no tenant's mistake hold back others", async () => {
      const before = await agreed();
      const rules = [{ name: "a", match: { names: ["*.net"] }, action: "Route", route: { upstream: "nowhere" } }];
      await cluster.patch(OF_SHOP, { spec: { rules } });
      assert.match(await told(OF_SHOP, "False Invalid"), /^spec\.rules\[0\]\.route\.upstream: expected .*nowhere/);
      await cluster.patch(OF_BANK, { spec: { priority: 2 } });
      await told(OF_BANK, "True Accepted");
      const after = await agreed(before.sequence);
      const { stdout } = await ask("a", "get", "DnsPolicy", "shop.own", "-o", "yaml");
      assert.match(stdout, /\*\.com/, "what was in force of it stays");
      assert.ok(after.sequence > before.sequence);
      await cluster.patch(OF_SHOP, { spec: { rules: OF_SHOP.spec.rules } });
      await told(OF_SHOP, "True Accepted");
    });

    it("takes a tenant's policy from a namespace of that tenant alone, or from its own", async () => {
      const foreign = policy("bank", "shop", "foreign");
      const own = policy("dns-policy", "shop", "by-administrators", 7);
      await cluster.create(foreign);
      await cluster.create(own);
      assert.match(await told(foreign, "False NotPermitted"), /bank is none of its spec\.namespaces/);
      await told(own, "True Accepted");
      for (const resource of [foreign, own]) await cluster.delete(resource);
    });

    it("goes on when the leader is killed, with what was in force, though an object is wrong", async () => {
      await cluster.patch(SHOP, { spec: { upstream: "nowhere" } });
      await told(SHOP, "False Invalid");
      const before = await agreed();
      const [leader, other] = await leaderAndOther();
      programs.get(leader)?.kill("SIGKILL");
      await programs.get(leader)?.end();
      await programs.get(other)?.said("this service leads");
      await start(leader);
      assert.equal((await agreed()).sequence, before.sequence);
      const { stdout } = await ask(leader, "get", "Tenant", "shop");
      assert.match(stdout, /upstream: public/);
      await cluster.patch(SHOP, { spec: { upstream: "public" } });
      await told(SHOP, "True Accepted");
      await cluster.patch(OF_BANK, { spec: { priority: 3 } });
      await told(OF_BANK, "True Accepted");
      await agreed(before.sequence);
    });

    it("gives virtual addresses once, whoever leads", async () => {
      await cluster.create(
        one(
          "kind: Settings\nmetadata: { name: default }\nspec: { mesh: { virtualAddresses: { ipv4: 240.240.0.0/24, ipv6: '2001:2::/48' } } }",
        ),
      );
      await cluster.patch(SHOP, { spec: { isolation: { discover: "All" } } });
      await told(SHOP, "True Accepted");
      const addEntries = async (from: number, to: number) => {
        for (let at = from; at < to; at++) {
          const spec = { hosts: [`h${at}.example`], resolution: "DNS", ports: [{ number: 80, name: "http" }] };
          await cluster.api.request("POST", ENTRIES, {
            ...{ apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name: `e${at}` }, spec },
          });
        }
      };
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
      const [leader] = await leaderAndOther();
      // Of these, some are given by the one and some by the other.
      const adding = addEntries(60, 160);
      await new Promise((resolve) => setTimeout(resolve, 300));
      programs.get(leader)?.kill("SIGKILL");
      await programs.get(leader)?.end();
      await adding;
      await haveAddresses(160);
      await start(leader);
      const after = await addressOf();
      for (const [name, address] of before) assert.equal(after.get(name), address, name);
      assert.equal(new Set(after.values()).size, 160);
      // 160 of 255: many of them hash to an address that is given.
      for (const name of ["a", "b"]) {
        const used = async () =>
          JSON.parse((await ask(name, "status", "-o", "json")).stdout).mesh.virtualAddresses.used;
        await eventually(10_000, `160 addresses in ${name}`, async () => (await used()) === 160);
      }
    });

    it("hands over at once when the leader ends", async () => {
      const [leader, other] = await leaderAndOther();
      programs.get(leader)?.kill("SIGTERM");
      assert.equal((await programs.get(leader)?.end())?.code, 0);
      // A Lease that is not given back is another's after 10 s.
      await eventually(5000, "another leader", async () => (await leaderAndOther())[0] === other);
    });
  });
}
