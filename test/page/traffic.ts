/**
 * What three tenants and a stranger ask, again and again: names that are denied, on trial, cached and not, of the mesh.
 */
import { setTimeout as pause } from "node:timers/promises";
import { CLIENTS } from "../e2e/stack.ts";
import { Load, type LoadResult } from "../prove/load.ts";
import type { Deployment } from "./deployment.ts";
import { BY_HAND, NOBODY, SERVER } from "./egress.ts";

/** A stream of questions: whose, their share of all, and their names in turn. */
interface Stream {
  readonly client: keyof typeof CLIENTS;
  readonly share: number;
  readonly type: string;
  readonly names: string[];
}

/** Names that nobody has asked before. */
function fresh(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `host-${index}.wild.example.com`);
}

const STREAMS: readonly Stream[] = [
  {
    client: "frontend",
    share: 0.32,
    type: "A",
    names: ["api.example.org", "www.example.org", "assets.example.com", "www.example.com", "px.ads.example.net"],
  },
  { client: "frontend", share: 0.08, type: "AAAA", names: ["www.example.org", "assets.example.com"] },
  {
    client: "frontend",
    share: 0.1,
    type: "A",
    names: ["cart.web.svc.cluster.local", "orders.shop.svc.cluster.local", "archive.example"],
  },
  {
    client: "backend",
    share: 0.2,
    type: "A",
    names: ["payments.example.org", "www.example.com", "cdn.example.net", "orders.shop.svc.cluster.local"],
  },
  { client: "backend", share: 0.1, type: "A", names: fresh(4000) },
  {
    client: "platform",
    share: 0.18,
    type: "A",
    names: ["git.corp.example", "wiki.corp.example", "gone.corp.example", "cart.web.svc.cluster.local"],
  },
  { client: "nobody", share: 0.02, type: "A", names: ["www.example.com"] },
];

/** Of a client that looks a name up, and then connects to its address; and of one that has typed an address. */
const CONNECTIONS = [
  ["ledger.example.org", SERVER],
  ["ledger.example.org", SERVER],
  ["retired.example.org", NOBODY],
  ["ledger.example.org", SERVER],
  ["", BY_HAND],
] as const;
/** Between two of them. */
const CONNECTION_MS = 250;

export class Traffic {
  readonly #loads: readonly Load[];
  readonly #connecting: Promise<void>;
  readonly #stopped = new AbortController();

  /** So many questions a second in all. */
  static async start(deployment: Deployment, rate: number): Promise<Traffic> {
    const server = { host: "127.0.0.1", port: deployment.port };
    const loads = STREAMS.map(({ client, share, type, names }) =>
      Load.start({ server, from: CLIENTS[client], rate: rate * share, names, type, sockets: 2 }),
    );
    return new Traffic(await Promise.all(loads), deployment);
  }

  private constructor(loads: readonly Load[], deployment: Deployment) {
    this.#loads = loads;
    this.#connecting = this.#connect(deployment);
    // Told by stop().
    this.#connecting.catch(() => {});
  }

  async #connect(deployment: Deployment): Promise<void> {
    for (let each = 0; !this.#stopped.signal.aborted; each++) {
      const [name, address] = CONNECTIONS[each % CONNECTIONS.length] ?? CONNECTIONS[0];
      if (name !== "") await deployment.ask("frontend", name);
      await deployment.connect("frontend", address);
      await pause(CONNECTION_MS);
    }
  }

  async stop(): Promise<readonly LoadResult[]> {
    this.#stopped.abort();
    await this.#connecting;
    return Promise.all(this.#loads.map((load) => load.stop()));
  }
}
