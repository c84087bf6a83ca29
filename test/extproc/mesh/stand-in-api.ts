/**
 * A stand-in for a Kubernetes API: lists in pages, watches from a version on, and what a real one seldom does.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ApiObject {
  metadata: {
    name: string;
    namespace?: string;
    labels?: Readonly<Record<string, string>>;
    resourceVersion?: string;
  };
  [field: string]: unknown;
}

/** What there is of one kind. */
export interface ApiList {
  readonly length: number;
  at(index: number): ApiObject | undefined;
}

const GROUPS = new Set(["/api/v1", "/apis/discovery.k8s.io/v1", "/apis/externaldns.k8s.io/v1alpha1"]);

export class StandInApi {
  readonly #lists: Readonly<Record<string, () => ApiList>>;
  readonly #events: { path: string; version: number; text: string }[] = [];
  readonly #watches = new Map<ServerResponse, string>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #version = 100;
  /** Events before this are forgotten. */
  #oldest = 0;
  /** Called when a list is begun. */
  onList: (path: string) => void = () => {};
  /** Answers of the next requests, instead of what is right. */
  failures: number[] = [];
  readonly folder: string;

  /** What there is, by path; of all other kinds of Kubernetes and external-dns there are none, and those of others are not known. */
  static async start(lists: Readonly<Record<string, () => ApiList>>): Promise<StandInApi> {
    const standIn = new StandInApi(await mkdtemp(join(tmpdir(), "dnspolicy-kube-")), lists);
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    const { port } = standIn.#server.address() as AddressInfo;
    await writeFile(
      standIn.config,
      `apiVersion: v1
kind: Config
clusters: [{ name: a, cluster: { server: "http://127.0.0.1:${port}", insecure-skip-tls-verify: true } }]
users: [{ name: a, user: { token: secret } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
current-context: a
`,
    );
    return standIn;
  }

  private constructor(folder: string, lists: Readonly<Record<string, () => ApiList>>) {
    this.folder = folder;
    this.#lists = lists;
  }

  get config(): string {
    return join(this.folder, "kubeconfig");
  }

  nextVersion(): string {
    return String(++this.#version);
  }

  /** An object of the newest version, which everybody who watches hears of. */
  tell(path: string, type: string, object: ApiObject): void {
    const text = `${JSON.stringify({ type, object: { apiVersion: "v1", ...object } })}\n`;
    this.#events.push({ path, version: this.#version, text });
    for (const [watch, watched] of this.#watches) if (watched === path) watch.write(text);
  }

  dropWatches(): void {
    for (const watch of this.#watches.keys()) watch.destroy();
    this.#watches.clear();
  }

  /** Every watch is told that its version is gone, and every new one of an old version, too. */
  forget(): void {
    this.#oldest = ++this.#version;
    for (const watch of this.#watches.keys()) watch.end(gone());
    this.#watches.clear();
  }

  async stop(): Promise<void> {
    this.dropWatches();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.folder, { recursive: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", "http://api");
    const failure = this.failures.shift();
    if (failure !== undefined) {
      response.writeHead(failure).end("{}");
    } else if (!GROUPS.has(pathname.slice(0, pathname.lastIndexOf("/")))) {
      response.writeHead(404).end('{"kind":"Status","code":404}');
    } else if (query.get("watch") === null) {
      this.#list(pathname, Number(query.get("limit") ?? 0), Number(query.get("continue") ?? 0), response);
    } else this.#watch(pathname, Number(query.get("resourceVersion")), response);
  }

  #list(path: string, limit: number, from: number, response: ServerResponse): void {
    if (from === 0) this.onList(path);
    const list = this.#lists[path]?.() ?? [];
    const to = limit === 0 ? list.length : Math.min(list.length, from + limit);
    const items = Array.from({ length: to - from }, (_, index) => list.at(from + index));
    const more = to < list.length ? { continue: String(to) } : {};
    const metadata = { resourceVersion: String(this.#version), ...more };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ metadata, items }));
  }

  #watch(path: string, since: number, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (since < this.#oldest) {
      response.end(gone());
      return;
    }
    for (const event of this.#events) if (event.path === path && event.version > since) response.write(event.text);
    this.#watches.set(response, path);
    response.on("close", () => this.#watches.delete(response));
  }
}

function gone(): string {
  return `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", metadata: {} } })}\n`;
}
