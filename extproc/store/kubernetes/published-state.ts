/**
 * The policy that the leader has put in force, for all services of one store: the state file of a store (state-file.ts),
 * compressed, in a ConfigMap. So every service has the same set under the same number, and what was in force is there
 * after all of them have been started anew, whatever has become of the objects since.
 */
import { createHash } from "node:crypto";
import type { KubernetesObject, V1ConfigMap } from "@kubernetes/client-node";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { type ConfigMapContent, ConfigMapOctets } from "../../kubernetes/config-map-octets.ts";
import { ListWatch } from "../../kubernetes/list-watch.ts";
import type { DirectoryContent } from "../read-directory.ts";
import { formatState, parseState, STATE_FILE, type State } from "../state-file.ts";
import type { WatchedPlace } from "../watch.ts";

export const STATE_NAME = "dns-policy-state";

/** As the API has it, with what the API calls its version. */
export interface StoredState {
  readonly state: State;
  readonly resourceVersion: string;
}

/** For the leader. */
export class StateWriter {
  readonly #stored: ConfigMapOctets;

  constructor(api: KubernetesApi, namespace: string) {
    this.#stored = storedIn(api, namespace);
  }

  async read(): Promise<StoredState | undefined> {
    const stored = await this.#stored.read();
    return stored && parse(stored);
  }

  /** In the place of what was read, or written, last: rejects where that is there no more. Gives the API's version. */
  write(state: State, before: string | undefined): Promise<string> {
    const [head, text] = formatState(state);
    return this.#stored.write(Buffer.concat([Buffer.from(head), text]), before);
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
  const stored = storedIn(api, namespace);
  let current: V1ConfigMap | undefined;
  const listeners = new Set<() => void>();
  const take = (object: KubernetesObject | undefined) => {
    current = object as V1ConfigMap | undefined;
    for (const listener of listeners) listener();
  };
  const watch = new ListWatch<undefined>(api, {
    path: stored.folder,
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
      return toContent(parse(await stored.decode(current)).state);
    },
    watch: (task) => {
      listeners.add(task);
      return () => void listeners.delete(task);
    },
    close: () => watch.close(),
  };
}

function storedIn(api: KubernetesApi, namespace: string): ConfigMapOctets {
  return new ConfigMapOctets({ api, namespace, name: STATE_NAME, key: `${STATE_FILE}.gz` });
}

function parse({ octets, version }: ConfigMapContent): StoredState {
  const state = parseState(octets);
  if (state === undefined) throw new Error(`ConfigMap ${STATE_NAME}: expected a state, got something else`);
  return { state, resourceVersion: version };
}

function toContent({ version, text }: State): DirectoryContent {
  const digest = createHash("sha256").update(`${version.sequence} ${version.hash} `).update(text).digest("hex");
  return { sources: [{ name: STATE_FILE, text }], digest, modifiedMs: 0, sequence: version.sequence };
}
