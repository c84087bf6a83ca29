/**
 * The policy that the leader has put in force, for all services of one store: the state file of a store (state-file.ts),
 * compressed, in a ConfigMap. So every service has the same set under the same number, and what was in force is there
 * after all of them have been started anew, whatever has become of the objects since.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { KubernetesObject, V1ConfigMap } from "@kubernetes/client-node";
import { isNotFound, type KubernetesApi } from "../../kubernetes/api.ts";
import { ListWatch } from "../../kubernetes/list-watch.ts";
import type { DirectoryContent } from "../read-directory.ts";
import { formatState, parseState, STATE_FILE, type State } from "../state-file.ts";
import type { WatchedPlace } from "../watch.ts";

export const STATE_NAME = "dns-policy-state";

const KEY = `${STATE_FILE}.gz`;

/** What Kubernetes takes for a ConfigMap, with room for its base64 and the rest. */
const MAX_OCTETS = 750_000;

/** As the API has it, with what the API calls its version. */
export interface StoredState {
  readonly state: State;
  readonly resourceVersion: string;
}

/** For the leader. */
export class StateWriter {
  readonly #api: KubernetesApi;
  readonly #namespace: string;

  constructor(api: KubernetesApi, namespace: string) {
    this.#api = api;
    this.#namespace = namespace;
  }

  async read(): Promise<StoredState | undefined> {
    try {
      return await decode(await this.#api.get<V1ConfigMap>(`${folderOf(this.#namespace)}/${STATE_NAME}`));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** In the place of what was read, or written, last: rejects where that is there no more. Gives the API's version. */
  async write(state: State, before: string | undefined): Promise<string> {
    const [head, text] = formatState(state);
    const octets = await promisify(gzip)(Buffer.concat([Buffer.from(head), text]));
    if (octets.length > MAX_OCTETS) {
      throw new Error(`expected a set of at most ${MAX_OCTETS} octets when it is compressed, got ${octets.length}`);
    }
    const metadata = { name: STATE_NAME, ...(before !== undefined && { resourceVersion: before }) };
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata, binaryData: { [KEY]: octets.toString("base64") } };
    const folder = folderOf(this.#namespace);
    const written =
      before === undefined
        ? await this.#api.request<V1ConfigMap>("POST", folder, body)
        : await this.#api.request<V1ConfigMap>("PUT", `${folder}/${STATE_NAME}`, body);
    return written.metadata?.resourceVersion ?? "";
  }
}

export interface PublishedState extends WatchedPlace {
  /** Resolved when the API has been asked once. */
  readonly listed: Promise<void>;
  close(): void;
}

export interface FollowOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly after: (milliseconds: number, task: () => void) => void;
  readonly onFailed: (error: unknown) => void;
}

/** For everybody who goes by it. */
export function followState({ api, namespace, after, onFailed }: FollowOptions): PublishedState {
  let current: V1ConfigMap | undefined;
  const listeners = new Set<() => void>();
  const take = (object: KubernetesObject | undefined) => {
    current = object as V1ConfigMap | undefined;
    for (const listener of listeners) listener();
  };
  const watch = new ListWatch<undefined>(api, {
    path: folderOf(namespace),
    selector: { fieldSelector: `metadata.name=${STATE_NAME}` },
    after,
    keyOf: ({ metadata }) => metadata?.name ?? "",
    onSet: take,
    // What is in force stays so.
    onDelete: () => {},
    known: () => new Map(),
    onGone: () => {},
    onFailed,
  });
  watch.start();
  return {
    name: "the Kubernetes API, by kubectl",
    listed: watch.listed,
    read: async () => {
      if (current === undefined) throw new Error("expected a policy that the leader has put in force, got none yet");
      return toContent((await decode(current)).state);
    },
    watch: (task) => {
      listeners.add(task);
      return () => void listeners.delete(task);
    },
    close: () => watch.close(),
  };
}

function folderOf(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/configmaps`;
}

async function decode({ metadata, binaryData }: V1ConfigMap): Promise<StoredState> {
  const octets = await promisify(gunzip)(Buffer.from(binaryData?.[KEY] ?? "", "base64"));
  const state = parseState(octets);
  if (state === undefined) throw new Error(`ConfigMap ${STATE_NAME}: expected a state in ${KEY}, got something else`);
  return { state, resourceVersion: metadata?.resourceVersion ?? "" };
}

function toContent({ version, text }: State): DirectoryContent {
  const digest = createHash("sha256").update(`${version.sequence} ${version.hash} `).update(text).digest("hex");
  return { sources: [{ name: STATE_FILE, text }], digest, modifiedMs: 0, sequence: version.sequence };
}
