/**
 * Our kinds as the Kubernetes API has them, and what each is in the language of the policy.
 */
import type { KubernetesObject } from "@kubernetes/client-node";
import { stringify } from "yaml";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { ListWatch } from "../../kubernetes/list-watch.ts";
import { isNamespaced, resourcePath } from "../../resources/custom-resource.ts";
import { type Kind, SCHEMAS } from "../../resources/schema.ts";
import { API_VERSION } from "../../resources/schema-parts.ts";

export interface PolicyObject {
  readonly kind: Kind;
  /** Empty for a kind of the cluster. */
  readonly namespace: string;
  /** In the policy. A namespace has no dot in its name: so `NAMESPACE.NAME` is one object's. */
  readonly name: string;
  /** Where the API has it. */
  readonly path: string;
  /** How often the spec has changed, as the API counts it. */
  readonly generation: number;
  /** As the policy has it: without what is the API's own. */
  readonly text: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** As it was written last. */
  readonly status: unknown;
}

interface ApiObject extends KubernetesObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: unknown;
}

export interface PolicyObjectsOptions {
  readonly api: KubernetesApi;
  readonly after: (milliseconds: number, task: () => void) => void;
  /** There are others, or one says something else. */
  readonly onChange: () => void;
  readonly onFailed: (kind: Kind, error: unknown) => void;
}

export class PolicyObjects {
  readonly #objects = new Map<string, PolicyObject>();
  readonly #watches: readonly ListWatch<string>[];
  /** Resolved when all there is has been listed once. */
  readonly listed: Promise<void>;

  constructor({ api, after, onChange, onFailed }: PolicyObjectsOptions) {
    const kinds = Object.keys(SCHEMAS) as Kind[];
    this.#watches = kinds.map((kind) => {
      const remove = (key: string) => {
        if (this.#objects.delete(key)) onChange();
      };
      return new ListWatch(api, {
        path: resourcePath(kind),
        after,
        keyOf: (object) => keyOf(kind, object),
        onSet: (object) => {
          const key = keyOf(kind, object);
          const before = this.#objects.get(key);
          const now = toPolicyObject(kind, object);
          this.#objects.set(key, now);
          if (before?.text !== now.text || before.generation !== now.generation) onChange();
        },
        onDelete: (object) => remove(keyOf(kind, object)),
        known: () => {
          const keys = [...this.#objects].flatMap(([key, object]) => (object.kind === kind ? [key] : []));
          return new Map(keys.map((key) => [key, key]));
        },
        onGone: remove,
        onFailed: (error) => onFailed(kind, error),
      });
    });
    this.listed = Promise.all(this.#watches.map((watch) => watch.listed)).then(() => {});
    for (const watch of this.#watches) watch.start();
  }

  all(): readonly PolicyObject[] {
    return [...this.#objects.values()];
  }

  get(key: string): PolicyObject | undefined {
    return this.#objects.get(key);
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
  }
}

/** As the policy calls it. */
export function keyOfObject({ kind, name }: Pick<PolicyObject, "kind" | "name">): string {
  return `${kind}/${name}`;
}

function keyOf(kind: Kind, object: KubernetesObject): string {
  return keyOfObject({ kind, name: nameOf(kind, object) });
}

function nameOf(kind: Kind, { metadata }: KubernetesObject): string {
  return isNamespaced(kind) ? `${metadata?.namespace}.${metadata?.name}` : (metadata?.name ?? "");
}

function toPolicyObject(kind: Kind, object: ApiObject): PolicyObject {
  const { metadata, spec = {}, status } = object;
  const namespace = isNamespaced(kind) ? (metadata?.namespace ?? "") : "";
  const name = nameOf(kind, object);
  const path = resourcePath(kind);
  const folder = namespace === "" ? path : path.replace(/[^/]+$/, (plural) => `namespaces/${namespace}/${plural}`);
  const value = { apiVersion: API_VERSION, kind, metadata: { name }, spec };
  return {
    kind,
    namespace,
    name,
    path: `${folder}/${metadata?.name}`,
    generation: metadata?.generation ?? 1,
    text: stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 }),
    spec,
    status,
  };
}
