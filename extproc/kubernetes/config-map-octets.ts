/**
 * Octets that services of one store keep for each other, compressed, in a ConfigMap of theirs.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { V1ConfigMap } from "@kubernetes/client-node";
import { isNotFound, type KubernetesApi } from "./api.ts";

/** What Kubernetes takes for a ConfigMap, with room for its base64 and the rest. */
const MAX_OCTETS = 750_000;

export interface ConfigMapContent {
  readonly octets: Buffer;
  /** The API's. */
  readonly version: string;
}

export interface ConfigMapOctetsOptions {
  readonly api: Pick<KubernetesApi, "request">;
  readonly namespace: string;
  /** Of the ConfigMap, and of the field in it. */
  readonly name: string;
  readonly key: string;
}

export class ConfigMapOctets {
  readonly #options: ConfigMapOctetsOptions;

  constructor(options: ConfigMapOctetsOptions) {
    this.#options = options;
  }

  async read(): Promise<ConfigMapContent | undefined> {
    const { api, name } = this.#options;
    try {
      return await this.decode(await api.request<V1ConfigMap>("GET", `${this.folder}/${name}`));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** In the place of what was read, or written, last: rejects where that is there no more. Gives the API's version. */
  async write(octets: Uint8Array, before: string | undefined): Promise<string> {
    const { api, name, key } = this.#options;
    const packed = await promisify(gzip)(octets);
    if (packed.length > MAX_OCTETS) {
      throw new Error(`${name}: expected at most ${MAX_OCTETS} octets when they are compressed, got ${packed.length}`);
    }
    const metadata = { name, ...(before !== undefined && { resourceVersion: before }) };
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata, binaryData: { [key]: packed.toString("base64") } };
    const written =
      before === undefined
        ? await api.request<V1ConfigMap>("POST", this.folder, body)
        : await api.request<V1ConfigMap>("PUT", `${this.folder}/${name}`, body);
    return written.metadata?.resourceVersion ?? "";
  }

  async decode({ metadata, binaryData }: V1ConfigMap): Promise<ConfigMapContent> {
    const octets = await promisify(gunzip)(Buffer.from(binaryData?.[this.#options.key] ?? "", "base64"));
    return { octets, version: metadata?.resourceVersion ?? "" };
  }

  /** Of the API. */
  get folder(): string {
    return `/api/v1/namespaces/${this.#options.namespace}/configmaps`;
  }
}
