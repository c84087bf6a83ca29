/**
 * Objects of one kind of a Kubernetes API: listed once, and watched from then on. Where the API forgets what it has told
 * (410 Gone) or cannot be reached, they are listed anew or asked for again, and what is known stays until then.
 */
import type { KubernetesObject } from "@kubernetes/client-node";
import { GONE, isNotFound, type KubernetesApi } from "./api.ts";

export interface ListWatchOptions<Known> {
  /** Where the API has the objects. */
  readonly path: string;
  /** Only those that it selects, as `fieldSelector=metadata.name=a`. */
  readonly selector?: Readonly<Record<string, string>>;
  /** Of an extension, which need not be there. */
  readonly optional?: boolean;
  readonly after: (milliseconds: number, task: () => void) => void;
  readonly keyOf: (object: KubernetesObject) => string;
  /** What has been told so far, by key. */
  readonly known: () => ReadonlyMap<string, Known>;
  readonly onSet: (object: KubernetesObject) => void;
  readonly onDelete: (object: KubernetesObject) => void;
  /** A list is complete, and does not have this any more. */
  readonly onGone: (known: Known) => void;
  /** The API cannot be reached, or refuses: told once, until it answers again. */
  readonly onFailed: (error: unknown) => void;
}

const RETRY_MS = 1000;
/** Before a watch that the API has ended is opened again. */
const REOPEN_MS = 20;
/** Objects a page, as Kubernetes' own clients ask for them. */
const PAGE = 500;
/** A kind that the API does not know: its CRD may come later. */
const UNKNOWN_RETRY_MS = 30_000;

interface ListPage {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubernetesObject[];
}

/** For ever, until it is closed. What it lists is taken over page by page: no list is ever whole in memory. */
export class ListWatch<Known> {
  readonly #api: KubernetesApi;
  readonly #options: ListWatchOptions<Known>;
  /** Resolved when everything has been listed once; or when the API does not know an optional kind. */
  readonly listed: Promise<void>;
  #markListed: () => void = () => {};
  #closed = false;
  #failing = false;
  /** Ends the watch that is open. */
  #abort: () => void = () => {};

  constructor(api: KubernetesApi, options: ListWatchOptions<Known>) {
    this.#api = api;
    this.#options = options;
    this.listed = new Promise((resolve) => {
      this.#markListed = resolve;
    });
  }

  start(): void {
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#abort();
  }

  async #run(): Promise<void> {
    let version = "";
    while (!this.#closed) {
      try {
        if (version === "") version = await this.#list();
        this.#failing = false;
        this.#markListed();
        version = await this.#follow(version);
        await this.#pause(REOPEN_MS);
      } catch (error) {
        await this.#pause(this.#failed(error));
      }
    }
  }

  /** Everything there is; gives the version that it was of. */
  async #list(): Promise<string> {
    const { keyOf, known, onSet, onGone } = this.#options;
    const gone = new Map(known());
    let version = "";
    let next: Promise<ListPage> | undefined = this.#page("");
    while (next !== undefined && !this.#closed) {
      const { metadata, items = [] }: ListPage = await next;
      version = metadata?.resourceVersion ?? "";
      // The API makes the next page while this one is taken over.
      next = metadata?.continue ? this.#page(metadata.continue) : undefined;
      // Whoever awaits it hears of its failure; where that is nobody any more, nobody need.
      next?.catch(() => {});
      for (const object of items) {
        onSet(object);
        if (gone.size > 0) gone.delete(keyOf(object));
      }
    }
    if (this.#closed) return version;
    for (const one of gone.values()) onGone(one);
    return version;
  }

  #page(more: string): Promise<ListPage> {
    const { path, selector } = this.#options;
    const query = new URLSearchParams({ ...selector, limit: `${PAGE}`, ...(more !== "" && { continue: more }) });
    return this.#api.get<ListPage>(`${path}?${query}`);
  }

  /** What happens from a version on, until the API ends it; gives the last version, or none where that is forgotten. */
  #follow(from: string): Promise<string> {
    const { path, selector, onSet, onDelete } = this.#options;
    return new Promise((resolve, reject) => {
      let version = from;
      const take = (type: string, object: KubernetesObject & { readonly code?: number }) => {
        if (this.#closed) return;
        if (type === "ERROR") {
          if (object.code === GONE) version = "";
          return;
        }
        if (type === "DELETED") onDelete(object);
        else if (type !== "BOOKMARK") onSet(object);
        version = object.metadata?.resourceVersion ?? version;
      };
      const done = (error: (Error & { readonly statusCode?: number }) | null) => {
        if (error?.statusCode === GONE) resolve("");
        else if (error === null || version !== from || this.#closed) resolve(version);
        else reject(error);
      };
      const query = { ...selector, resourceVersion: from, allowWatchBookmarks: true };
      this.#api.watch(path, query, take, done).then((end) => {
        this.#abort = end;
        if (this.#closed) end();
      }, reject);
    });
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#options.after(milliseconds, resolve));
  }

  /** After how long to try again. */
  #failed(error: unknown): number {
    const { optional = false, onFailed } = this.#options;
    if (optional && isNotFound(error)) {
      this.#markListed();
      return UNKNOWN_RETRY_MS;
    }
    if (!this.#failing && !this.#closed) {
      this.#failing = true;
      onFailed(error);
    }
    return RETRY_MS;
  }
}
