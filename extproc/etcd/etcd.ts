/**
 * etcd as a client: keys below one prefix, read, watched, and changed by transactions. Keys here are without the prefix.
 *
 * Requests and their way to one of several servers are the package's; watching is key-watch.ts's own, as the package's throws
 * into nobody's hands where etcd says something that it does not expect.
 */
import { rootCertificates } from "node:tls";
import type { Etcd3, IDuplexStream, IKeyValue, IRequestOp, IWatchResponse } from "etcd3";

export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`: all of one kind. */
  readonly endpoints: readonly string[];
  /** Of every key; ends with a slash. */
  readonly prefix: string;
  /** PEM. By default the authorities that Node trusts. */
  readonly ca?: string | undefined;
  /** PEM, of this client. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: { readonly name: string; readonly password: string } | undefined;
}

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
  /** That wrote it last. */
  readonly revision: string;
}

/** What must be for a change to be made: the key as that revision wrote it, or not there; or there, by whatever revision. */
export type Condition = { readonly key: string; readonly revision: string } | { readonly exists: string };
/** The revision of a key that is not there. */
export const ABSENT = "0";

export type Operation =
  | { readonly put: string; readonly value: Uint8Array | string; readonly lease?: string }
  | { readonly delete: string }
  /** All keys that begin so. */
  | { readonly deleteBelow: string };

export interface KeyEvent {
  readonly key: string;
  /** Undefined: it is deleted. */
  readonly value: KeyValue | undefined;
}

export interface WatchListener {
  /** At least one event, all of one or several whole revisions, of which this is the last. */
  readonly onEvents: (events: readonly KeyEvent[], revision: string) => void;
  /** The watch is at work; gives the revision that etcd is at. */
  readonly onOpen: (revision: string) => void;
  /** Once, whatever the reason. `compacted`: etcd has forgotten what was to be told. */
  readonly onEnd: (end: { readonly compacted: boolean; readonly error: Error }) => void;
}

/** After this, an answer is of no use: a lease may be somebody else's by then. */
const PATIENCE_MS = 5000;
/** etcd takes more than one ping in 5 s of one client for an attack. */
const PING_MS = 10_000;
const PING_PATIENCE_MS = 5000;
/** Keys that are listed at a time. */
const PAGE = 1000;

export class Etcd {
  readonly #client: Etcd3;
  readonly #prefix: string;
  /** For people. */
  readonly name: string;

  static async open({ endpoints, prefix, ca, certificate, key, user }: EtcdOptions): Promise<Etcd> {
    // Loaded only here: a service without etcd has no need of them.
    const [{ Etcd3 }, { noop }] = await Promise.all([import("etcd3"), import("cockatiel")]);
    const secured = endpoints.some((endpoint) => endpoint.startsWith("https:"));
    const client = new Etcd3({
      hosts: [...endpoints],
      ...(secured && {
        credentials: {
          rootCertificate: Buffer.from(ca ?? rootCertificates.join("\n")),
          ...(key !== undefined && { privateKey: Buffer.from(key) }),
          ...(certificate !== undefined && { certChain: Buffer.from(certificate) }),
        },
      }),
      ...(user && { auth: { username: user.name, password: user.password } }),
      grpcOptions: {
        "grpc.keepalive_time_ms": PING_MS,
        "grpc.keepalive_timeout_ms": PING_PATIENCE_MS,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.max_receive_message_length": -1,
      },
      defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + PATIENCE_MS }),
      // Whoever asks asks again; a server that was away for a moment must not be let alone for longer.
      faultHandling: { host: () => noop },
    });
    return new Etcd(client, prefix, `etcd at ${endpoints.join(", ")}, ${prefix}`);
  }

  private constructor(client: Etcd3, prefix: string, name: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.name = name;
  }

  async get(key: string): Promise<KeyValue | undefined> {
    const { kvs } = await this.#client.kv.range({ key: this.#full(key) });
    return kvs[0] && this.#toKeyValue(kvs[0]);
  }

  /** All keys that begin so, in their order, as they were at one moment. */
  async list(
    folder: string,
    { keysOnly = false } = {},
  ): Promise<{ readonly items: readonly KeyValue[]; readonly revision: string }> {
    const items: KeyValue[] = [];
    let revision = "0";
    let next = this.#full(folder);
    for (let more = true; more; ) {
      const range = { key: next, range_end: endOf(this.#full(folder)), limit: PAGE, keys_only: keysOnly };
      const page = await this.#client.kv.range({ ...range, revision });
      if (revision === "0") revision = page.header.revision;
      items.push(...page.kvs.map((one) => this.#toKeyValue(one)));
      more = page.more && page.kvs.length > 0;
      next = Buffer.concat([page.kvs.at(-1)?.key ?? next, Buffer.of(0)]);
    }
    return { items, revision };
  }

  /** All of it, or nothing: at most 128 of each. Gives the revision; undefined where a condition does not hold. */
  async change(conditions: readonly Condition[], operations: readonly Operation[]): Promise<string | undefined> {
    const { succeeded, header } = await this.#client.kv.txn({
      compare: conditions.map((condition) =>
        "exists" in condition
          ? { key: this.#full(condition.exists), target: "Create", result: "Greater", create_revision: ABSENT }
          : { key: this.#full(condition.key), target: "Mod", result: "Equal", mod_revision: condition.revision },
      ),
      success: operations.map((operation) => this.#toRequest(operation)),
    });
    return succeeded ? header.revision : undefined;
  }

  /** What happens to keys that begin so, from a revision on. Returns how to end it; then nothing is told any more. */
  watch(folder: string, from: string, listener: WatchListener): () => void {
    let cancel = (): void => {};
    let isOver = false;
    const end = (error: Error, compacted = false): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      listener.onEnd({ error, compacted });
    };
    this.#client.watchClient.watch().then((stream) => {
      cancel = () => close(stream);
      if (isOver) {
        cancel();
        return;
      }
      stream.on("error", (error) => end(error));
      stream.on("end", () => end(new Error("etcd has ended the watch")));
      stream.on("data", (response: IWatchResponse) => {
        if (isOver) return;
        const { canceled, compact_revision, cancel_reason, created, events, header } = response;
        if (canceled) end(new Error(`etcd has ended the watch: ${cancel_reason}`), compact_revision !== "0");
        else if (created) listener.onOpen(header.revision);
        else if (events.length > 0) listener.onEvents(events.map(this.#toEvent), header.revision);
      });
      const key = this.#full(folder);
      stream.write({ create_request: { key, range_end: endOf(key), start_revision: from } });
    }, end);
    return () => {
      isOver = true;
      cancel();
    };
  }

  /** Keys of the lease are there for so long after it was granted, or kept, last. */
  async grant(seconds: number): Promise<string> {
    return (await this.#client.leaseClient.leaseGrant({ TTL: seconds })).ID;
  }

  /** False where the lease is no more. */
  async keep(lease: string): Promise<boolean> {
    const stream = await this.#client.leaseClient.leaseKeepAlive({ deadline: Date.now() + PATIENCE_MS });
    try {
      const { TTL } = await new Promise<{ readonly TTL: string }>((resolve, reject) => {
        stream.on("data", resolve);
        stream.on("error", reject);
        stream.on("end", () => reject(new Error("etcd has ended the stream of the lease")));
        stream.write({ ID: lease });
      });
      return TTL !== "0";
    } finally {
      close(stream);
    }
  }

  /** Its keys go with it. */
  async revoke(lease: string): Promise<void> {
    await this.#client.leaseClient.leaseRevoke({ ID: lease });
  }

  close(): void {
    this.#client.close();
  }

  #full(key: string): Buffer {
    return Buffer.from(this.#prefix + key);
  }

  #toKeyValue({ key, value, mod_revision }: IKeyValue): KeyValue {
    return { key: key.toString("utf8").slice(this.#prefix.length), value, revision: mod_revision };
  }

  readonly #toEvent = ({ type, kv }: IWatchResponse["events"][number]): KeyEvent => {
    const value = this.#toKeyValue(kv);
    return { key: value.key, value: String(type).toLowerCase() === "delete" ? undefined : value };
  };

  #toRequest(operation: Operation): IRequestOp {
    if ("put" in operation) {
      const { put, value, lease = "0" } = operation;
      return { request_put: { key: this.#full(put), value: Buffer.from(value), lease } };
    }
    if ("delete" in operation) return { request_delete_range: { key: this.#full(operation.delete) } };
    const key = this.#full(operation.deleteBelow);
    return { request_delete_range: { key, range_end: endOf(key) } };
  }
}

/** A stream that is cancelled while it may be written to is a failure to the package, which then drops all connections. */
function close(stream: Pick<IDuplexStream<unknown, unknown>, "end" | "cancel">): void {
  stream.end();
  stream.cancel();
}

/** The first key that does not begin so. */
function endOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}
