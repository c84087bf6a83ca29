/**
 * An agent of Consul: a real one where `CONSUL` names its program, else a stand-in, written from the documentation of the
 * HTTP API (blocking queries, catalog, health, agent), that refuses what that does not allow.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { eventually } from "../../e2e/clients/deadline.ts";
import { freePort } from "../../e2e/ports.ts";

export const NODE = "node-1";

export interface ConsulAgent {
  readonly url: string;
  /** Of its own DNS; undefined for a stand-in. */
  readonly dnsPort: number | undefined;
  register(service: Registration): Promise<void>;
  deregister(id: string): Promise<void>;
  check(id: string, status: "pass" | "warn" | "fail"): Promise<void>;
  stop(): Promise<void>;
}

export interface RealAgent extends ConsulAgent {
  readonly dnsPort: number | undefined;
  readonly wanPort: number;
}

export interface Registration {
  readonly id: string;
  readonly name: string;
  readonly port: number;
  readonly tags?: readonly string[];
  readonly address?: string;
  readonly weight?: number;
}

/** A real one's program. */
export const PROGRAM = process.env.CONSUL ?? "";

export async function startConsul(): Promise<ConsulAgent> {
  return PROGRAM === "" ? new StandIn().start() : startReal("dc1", NODE);
}

/** `wanPort`: of a server of another datacenter, which it joins. */
export async function startReal(datacenter: string, node: string, wanPort?: number): Promise<RealAgent> {
  const [http, dns, serf, serfWan, server] = await Promise.all([0, 1, 2, 3, 4].map(() => freePort()));
  const ports = ["-http-port", http, "-dns-port", dns, "-serf-lan-port", serf, "-serf-wan-port", serfWan];
  const flags = ["agent", "-dev", "-node", node, "-bind", "127.0.0.1", "-grpc-port", "-1", "-server-port", server];
  const joins = wanPort === undefined ? [] : ["-retry-join-wan", `127.0.0.1:${wanPort}`, "-retry-interval-wan", "1s"];
  const all = [...flags, "-datacenter", datacenter, ...ports, ...joins];
  const child = spawn(PROGRAM, all.map(String), { stdio: "ignore" });
  const url = `http://127.0.0.1:${http}`;
  await eventually(30_000, "consul has a leader", async () =>
    (await (await fetch(`${url}/v1/catalog/nodes`)).text()).includes(node),
  );
  const stop = async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  return { url, dnsPort: dns, wanPort: serfWan ?? 0, ...operationsAt(url), stop };
}

function operationsAt(url: string): Pick<ConsulAgent, "register" | "deregister" | "check"> {
  const put = async (path: string, body?: object) => {
    const response = await fetch(`${url}${path}`, { method: "PUT", body: body ? JSON.stringify(body) : null });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  };
  return {
    register: ({ id, name, port, tags = [], address = "", weight }) =>
      put("/v1/agent/service/register", {
        ID: id,
        Name: name,
        Port: port,
        Tags: tags,
        Address: address,
        ...(weight === undefined ? {} : { Weights: { Passing: weight, Warning: 1 } }),
        Check: { CheckID: `check-${id}`, TTL: "10m", Status: "passing" },
      }),
    deregister: (id) => put(`/v1/agent/service/deregister/${id}`),
    check: (id, status) => put(`/v1/agent/check/${status}/check-${id}`),
  };
}

interface Instance {
  readonly ID: string;
  readonly Service: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly Address: string;
  readonly Weights: { readonly Passing: number; readonly Warning: number };
}

const OWN = { Node: NODE, Address: "127.0.0.1", Datacenter: "dc1" };
const MAX_WAIT_S = 600;
/** limits.http_max_conns_per_client */
const MAX_CONNECTIONS = 200;

/** What a stand-in can be told besides. */
export class StandIn implements ConsulAgent {
  url = "";
  readonly dnsPort = undefined;
  /** Where it is other than empty, who asks has to show it. */
  token = "";
  /** Questions that were asked, with their parameters. */
  readonly asked: string[] = [];
  readonly #instances = new Map<string, Instance>();
  readonly #statuses = new Map<string, string>();
  #index = 10;
  #waiting: (() => void)[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  register!: ConsulAgent["register"];
  deregister!: ConsulAgent["deregister"];
  check!: ConsulAgent["check"];

  async start(port = 0): Promise<this> {
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    Object.assign(this, operationsAt(this.url));
    return this;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** As after a restore from a snapshot: what is there, by a smaller index. */
  restore(instances: readonly Instance[]): void {
    this.#instances.clear();
    for (const instance of instances) this.#instances.set(instance.ID, instance);
    this.#index = 3;
    this.#wake();
  }

  #changed(): void {
    this.#index++;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://consul");
    const end = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json", "x-consul-index": String(this.#index) });
      response.end(JSON.stringify(body));
    };
    if (request.method === "PUT") {
      const text = Buffer.concat(await request.toArray()).toString();
      end(...this.#change(url.pathname, text));
      return;
    }
    this.asked.push(`${url.pathname}${url.search}`);
    if (this.token !== "" && request.headers["x-consul-token"] !== this.token) return end(403, "Permission denied");
    const { searchParams } = url;
    if (!["dc1", null].includes(searchParams.get("dc"))) return end(500, "No path to datacenter");
    const index = Number(searchParams.get("index") ?? 0);
    const [, seconds] = /^(\d+)s$/.exec(searchParams.get("wait") ?? "300s") ?? [];
    if (seconds === undefined || Number(seconds) > MAX_WAIT_S) return end(400, "Invalid wait time");
    if (index > 0 && index >= this.#index) await this.#wait(Number(seconds) * 1000);
    end(200, this.#read(url));
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds).unref();
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #read({ pathname, searchParams }: URL): unknown {
    const all = [...this.#instances.values()];
    if (pathname === "/v1/catalog/nodes") return [OWN];
    if (pathname === "/v1/catalog/services") {
      return Object.fromEntries([["consul", []], ...all.map(({ Service, Tags }) => [Service, Tags])]);
    }
    const name = decodeURIComponent(/^\/v1\/health\/service\/([^/]+)$/.exec(pathname)?.[1] ?? "");
    if (name === "consul")
      return [{ Node: OWN, Service: { ID: "consul", Service: "consul", Address: "", Port: 8300, Tags: [] } }];
    const passing = ["", "true", "1"].includes(searchParams.get("passing") ?? "no");
    return all
      .filter(({ ID, Service }) => Service === name && (!passing || this.#statuses.get(ID) === "pass"))
      .map((Service) => ({ Node: OWN, Service }));
  }

  #change(path: string, text: string): [number, unknown] {
    const [, what, action, id = ""] = /^\/v1\/agent\/(service|check)\/(\w+)(?:\/(.+))?$/.exec(path) ?? [];
    if (what === "service" && action === "register") {
      const { ID, Name, Port, Tags, Address, Weights = { Passing: 1, Warning: 1 } } = JSON.parse(text);
      this.#instances.set(ID, { ID, Service: Name, Port, Tags, Address, Weights });
      this.#statuses.set(ID, "pass");
    } else if (what === "service" && action === "deregister") this.#instances.delete(id);
    else if (what === "check" && action !== undefined) this.#statuses.set(id.replace(/^check-/, ""), action);
    else return [404, "unknown"];
    this.#changed();
    return [200, null];
  }
}
