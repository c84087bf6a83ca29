/**
 * The API of a Kubernetes cluster: requests, as JSON, and what it says where it refuses one.
 */
import { Agent, type RequestOptions } from "node:https";
import type { KubeConfig, KubernetesObject, Watch } from "@kubernetes/client-node";
import { responseText } from "../response-text.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** The status of a version that the API has forgotten. */
export const GONE = 410;
const NOT_FOUND = 404;
/** Somebody else has changed, or made, what this was to change or make. */
const CONFLICT = 409;

/** What the API says of a request that it does not do. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(`status ${status}: ${message}`);
    this.status = status;
  }
}

/** Somebody else was faster. */
export function isConflict(error: unknown): boolean {
  return error instanceof StatusError && error.status === CONFLICT;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof StatusError && error.status === NOT_FOUND;
}

/** So much of an answer is told to people. */
const MAX_TOLD = 2000;
/** After this, an answer is of no use: a lease may be somebody else's by then. */
const PATIENCE_MS = 10_000;
const MAX_CONNECTIONS = 32;

type Observer = (type: string, object: KubernetesObject & { readonly code?: number }) => void;
type Ended = (error: (Error & { readonly statusCode?: number }) | null) => void;

export class KubernetesApi {
  readonly #config: KubeConfig;
  readonly #watch: Watch;
  #agent: { readonly identity: string; readonly agent: Agent } | undefined;

  /** `config` is a kubeconfig's path; or `in-cluster`, for a pod's service account. */
  static async open(config: string): Promise<KubernetesApi> {
    // Loaded only here: a service without Kubernetes has no need of it.
    const client = await import("@kubernetes/client-node");
    const read = new client.KubeConfig();
    if (config === "in-cluster") read.loadFromCluster();
    else read.loadFromFile(config);
    return new KubernetesApi(read, new client.Watch(read));
  }

  private constructor(config: KubeConfig, watch: Watch) {
    this.#config = config;
    this.#watch = watch;
  }

  /** Of the kubeconfig's context, or of the pod. */
  get namespace(): string {
    const context = this.#config.getContextObject(this.#config.getCurrentContext());
    return context?.namespace ?? "default";
  }

  get<T>(path: string): Promise<T> {
    return this.request<T>("GET", path);
  }

  /** A PATCH is a merge patch (RFC 7386). */
  async request<T>(method: Method, path: string, body?: object): Promise<T> {
    const url = new URL(`${this.#config.getCurrentCluster()?.server.replace(/\/$/, "")}${path}`);
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const headers = { accept: "application/json", ...(body && { "content-type": type }) };
    const secured: RequestOptions = { method, headers, timeout: PATIENCE_MS };
    await this.#config.applyToHTTPSOptions(secured);
    // `kubectl proxy`, for one, speaks HTTP: to that, an agent for TLS is none.
    const { agent, ...plain } = secured;
    const [{ request }, options] =
      url.protocol === "http:"
        ? [await import("node:http"), plain]
        : [await import("node:https"), { ...secured, agent: this.#lasting(agent) }];
    return new Promise((resolve, reject) => {
      const call = request(url, options, (response) => {
        const { statusCode = 0 } = response;
        const read = (text: string) => {
          if (statusCode < 200 || statusCode >= 300) throw new StatusError(statusCode, messageOf(text));
          return JSON.parse(text);
        };
        // What the API keeps is bounded, and how much it tells at once is for who asks to say.
        responseText(response, Number.POSITIVE_INFINITY).then(read).then(resolve, reject);
      });
      call.on("error", reject);
      call.on("timeout", () => call.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)));
      call.end(body && JSON.stringify(body));
    });
  }

  /** The client makes an agent for each request, and so a connection: those of the same credentials are one. */
  #lasting(made: RequestOptions["agent"]): RequestOptions["agent"] {
    // One for a proxy is left as it is.
    if (!(made instanceof Agent) || made.constructor !== Agent) return made;
    const { ca, cert, key, passphrase, servername, rejectUnauthorized } = made.options;
    const identity = [ca, cert, key, passphrase, servername, rejectUnauthorized].map(String).join();
    if (identity !== this.#agent?.identity) {
      this.#agent = { identity, agent: new Agent({ ...made.options, keepAlive: true, maxSockets: MAX_CONNECTIONS }) };
    }
    return this.#agent.agent;
  }

  /** Returns how to end it. */
  async watch(
    path: string,
    query: Record<string, string | boolean>,
    onEvent: Observer,
    onEnd: Ended,
  ): Promise<() => void> {
    const controller = await this.#watch.watch(path, query, onEvent, onEnd);
    return () => controller.abort();
  }
}

/** Of a Status of the API, or of whoever answered in its place. */
function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === "string") return message.slice(0, MAX_TOLD);
  } catch {
    // Not an answer of the API.
  }
  return text.slice(0, MAX_TOLD);
}
