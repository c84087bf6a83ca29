/**
 * Virtual addresses of two services whose store is a real Kubernetes API (DNSPOLICY_TEST_KUBECONFIG, which
 * test/kubernetes/api.sh makes): the one that gives them is killed, hung, and both are started anew, while entries come,
 * go and come back in another order. None moves, and no two hosts have one.
 */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { KubernetesObject } from "@kubernetes/client-node";
import { eventually } from "../../e2e/clients/deadline.ts";
import { Cluster, ENTRIES_OF } from "../../kubernetes/cluster.ts";
import { one, StoreServices } from "../../kubernetes/services.ts";
import { type Proof, type Report, scaled } from "../proof.ts";

const ENTRIES = 50_000;
const NAMESPACES = 10;
/** Requests that are under way at a time. */
const AT_ONCE = 24;
/** Of a hundred entries, so many go and come back. */
const LEAVING = 5;
/** Longer than a Lease. */
const HUNG_MS = 14_000;

const RESOURCES = [
  "kind: Settings\nmetadata: { name: default }\nspec: { mesh: { virtualAddresses: { ipv4: 240.240.0.0/16, ipv6: '2001:2::/48' } } }\n",
  "kind: Upstream\nmetadata: { name: public }\nspec: { protocol: TCP, servers: [{ address: 127.0.0.1 }] }\n",
  "kind: Tenant\nmetadata: { name: shop }\nspec: { match: [{ cidrs: [127.0.1.0/24] }], upstream: public, isolation: { discover: All } }\n",
].map(one);

interface Entry extends KubernetesObject {
  readonly status?: { readonly addresses?: readonly { readonly value: string }[] };
}

interface Page {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly Entry[];
}

export const sharedVips: Proof = {
  name: "shared-vips",
  what: "50,000 entries in a Kubernetes API, two services of which one gives addresses, killed, hung, restarted: no address moves, none is two hosts'",
  async run(scale, report) {
    const cluster = await Cluster.open();
    const shared = new SharedEntries(cluster, scaled(ENTRIES, scale, 1000));
    await shared.prepare();
    const services = await StoreServices.open(cluster);
    try {
      await prove(services, shared, report, scale === 1);
    } finally {
      await shared.clear();
      await services.close();
    }
  },
};

/** `kills`: also without a Lease that is given back, for which others wait some 12 s (test/kubernetes/store.test.ts does so, too). */
async function prove(services: StoreServices, shared: SharedEntries, report: Report, kills: boolean): Promise<void> {
  report.figure("entries", shared.count);
  await services.start("a", "b");
  for (const resource of RESOURCES) await services.cluster.create(resource);
  for (const resource of RESOURCES) await services.told(resource, "True Accepted");
  const quarter = Math.ceil(shared.count / 4);
  const begun = performance.now();
  await shared.create(0, quarter);
  const [killed, other] = await services.leaderAndOther();
  const adding = shared.create(quarter, 3 * quarter);
  await pause(300);
  await services.end(killed, kills ? "SIGKILL" : "SIGTERM");
  await services.programs.get(other)?.said("this service leads");
  await services.start(killed);
  await adding;
  const more = shared.create(3 * quarter, shared.count);
  services.signal(other, "SIGSTOP");
  await pause(HUNG_MS);
  services.signal(other, "SIGCONT");
  await more;
  const first = await shared.given(shared.count);
  report.figure("s until all had one, the leader gone and hung on the way", (performance.now() - begun) / 1000);
  report.atMost("addresses of two hosts", first.size - new Set(first.values()).size, 0);

  for (const name of ["a", "b"]) await services.end(name, "SIGTERM");
  const started = performance.now();
  await services.start("a", "b");
  await allUsed(services, shared.count);
  report.figure("s until both knew all after a restart", (performance.now() - started) / 1000);
  const gone = shared.numbers.filter((number) => number % 100 < LEAVING);
  const leaving = performance.now();
  await shared.delete(gone);
  await allUsed(services, shared.count - gone.length);
  report.figure("s until both knew that some had gone", (performance.now() - leaving) / 1000);
  // What was given back is written down a second later.
  await pause(2000);
  for (const name of ["a", "b"]) await services.end(name, "SIGTERM");
  await services.start("a", "b");
  await allUsed(services, shared.count - gone.length);
  await shared.createAll([...gone].reverse());
  const second = await shared.given(shared.count);
  const moved = [...second].filter(([name, address]) => first.get(name) !== address).length;
  report.atMost("addresses that moved", moved, 0);
  report.atMost("addresses of two hosts, at the end", second.size - new Set(second.values()).size, 0);
  for (const name of ["a", "b"]) {
    const { used, without } = (await services.statusOf(name)).mesh.virtualAddresses;
    report.check(used === shared.count && without === 0, `${name}: expected ${shared.count} in use, got ${used}`);
    report.figure(`memory of ${name}, MiB`, residentMiB(services.programs.get(name)?.pid));
  }
}

async function allUsed(services: StoreServices, count: number): Promise<void> {
  for (const name of ["a", "b"]) {
    await eventually(120_000, `${count} addresses in ${name}`, async () => {
      return (await services.statusOf(name)).mesh.virtualAddresses.used === count;
    });
  }
}

class SharedEntries {
  readonly #cluster: Cluster;
  readonly count: number;

  constructor(cluster: Cluster, count: number) {
    this.#cluster = cluster;
    this.count = count;
  }

  get numbers(): number[] {
    return Array.from({ length: this.count }, (_, number) => number);
  }

  async prepare(): Promise<void> {
    await this.#cluster.addServiceEntries();
    for (let number = 0; number < NAMESPACES; number++) await this.#cluster.addNamespace(`vips-${number}`);
  }

  create(from: number, to: number): Promise<void> {
    return this.createAll(this.numbers.slice(from, to));
  }

  createAll(numbers: readonly number[]): Promise<void> {
    return inParallel(numbers, async (number) => {
      const spec = { hosts: [`h${number}.example`], resolution: "DNS", ports: [{ number: 80, name: "http" }] };
      const head = { apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name: `e${number}` } };
      await this.#cluster.api.request("POST", folderOf(number), { ...head, spec });
    });
  }

  delete(numbers: readonly number[]): Promise<void> {
    return inParallel(numbers, async (number) => {
      await this.#cluster.api.request("DELETE", `${folderOf(number)}/e${number}`);
    });
  }

  /** Resolved when so many have an address: by their names, which. */
  async given(count: number): Promise<ReadonlyMap<string, string>> {
    let found: ReadonlyMap<string, string> = new Map();
    await eventually(
      300_000,
      `${count} addresses`,
      async () => {
        found = await this.#addresses();
        return found.size === count;
      },
      1000,
    );
    return found;
  }

  async #addresses(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    let more = "";
    do {
      const query = new URLSearchParams({ limit: "5000", ...(more !== "" && { continue: more }) });
      const page = await this.#cluster.api.get<Page>(`/apis/networking.istio.io/v1/serviceentries?${query}`);
      for (const { metadata, status } of page.items) {
        const [address] = status?.addresses ?? [];
        if (metadata?.namespace?.startsWith("vips-") && address) found.set(metadata.name ?? "", address.value);
      }
      more = page.metadata.continue ?? "";
    } while (more !== "");
    return found;
  }

  async clear(): Promise<void> {
    for (const resource of RESOURCES) await this.#cluster.delete(resource).catch(() => {});
    for (let number = 0; number < NAMESPACES; number++) {
      await this.#cluster.api.request("DELETE", folderOf(number)).catch(() => {});
    }
  }
}

function folderOf(number: number): string {
  return ENTRIES_OF(`vips-${number % NAMESPACES}`);
}

async function inParallel(numbers: readonly number[], task: (number: number) => Promise<void>): Promise<void> {
  const left = numbers.values();
  const work = async () => {
    for (const number of left) await task(number);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function residentMiB(pid: number | undefined): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  return Number(kilobytes) / 1024;
}
