/**
 * The workers: who is connected, which revision each has acknowledged, and who may still answer by an older one.
 *
 * A worker whose stream ended goes on with its last verdicts for the last-good age. So it is remembered for as long,
 * unless it is known to be gone: a process runs only so many workers, and a node only one process.
 */

/** Node, process and worker, as Hello has them; the numbers in hex. */
export interface WorkerIdentity {
  readonly node: string;
  readonly process: string;
  readonly worker: string;
}

export interface WorkerStatus extends WorkerIdentity {
  readonly connected: boolean;
  /** Sequence number of the revision that it acknowledged last; 0 for none. */
  readonly acknowledged: number;
  /** For one that is away: when it stops using what it has, in milliseconds of the wall clock. */
  readonly until?: number;
}

interface Worker extends WorkerIdentity {
  acknowledged: number;
  /** Of its process. */
  readonly concurrency: number;
  heardAt: number;
  /** Undefined while connected. */
  endedAt: number | undefined;
  /** Counts the streams of this worker: only the newest speaks for it. */
  stream: number;
}

/** What a stream holds of its worker. */
export interface Membership {
  /** False when it was forgotten, or another stream speaks for it. */
  readonly isKnown: boolean;
  /** It has said something. */
  heard(): void;
  acknowledge(sequence: number): void;
  /** The stream ended. */
  leave(): void;
}

export interface RegistryOptions {
  /** As the filter's: for how long it uses verdicts without the service. */
  readonly lastGoodMs: number;
  readonly now: () => number;
  /** So many nodes' processes are remembered at most; one more displaces the oldest without a worker. */
  readonly maxNodes?: number;
}

const MAX_NODES = 10_000;
/** A worker reports every second. */
const SILENCE_MS = 3000;

export class WorkerRegistry {
  readonly #options: RegistryOptions;
  readonly #workers = new Map<string, Worker>();
  /** The process that a node runs now. */
  readonly #processes = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  #streams = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  join(identity: WorkerIdentity, concurrency: number): Membership {
    const { node, process, worker } = identity;
    this.#displaceProcesses(node, process);
    const key = `${process}/${worker}/${node}`;
    const stream = ++this.#streams;
    const known = this.#workers.get(key);
    // A stream that is new has acknowledged nothing on it, and what is in flight is not known.
    const joined: Worker = {
      node,
      process,
      worker,
      acknowledged: known?.acknowledged ?? 0,
      concurrency: Math.max(concurrency, 1),
      heardAt: this.#options.now(),
      endedAt: undefined,
      stream,
    };
    this.#workers.delete(key);
    this.#workers.set(key, joined);
    this.#displaceWorkers();
    this.#changed();
    const isKnown = () => this.#workers.get(key) === joined;
    return {
      get isKnown() {
        return isKnown();
      },
      heard: () => {
        joined.heardAt = this.#options.now();
      },
      acknowledge: (sequence) => {
        if (!isKnown() || sequence <= joined.acknowledged) return;
        joined.acknowledged = sequence;
        this.#changed();
      },
      leave: () => {
        if (!isKnown() || joined.endedAt !== undefined) return;
        if (this.#processes.get(node) === process) joined.endedAt = this.#options.now();
        else this.#workers.delete(key);
        this.#changed();
      },
    };
  }

  /** Workers that have not acknowledged this revision, and may answer by an older one. */
  behind(sequence: number): readonly WorkerStatus[] {
    return this.list().filter(({ acknowledged }) => acknowledged < sequence);
  }

  list(): readonly WorkerStatus[] {
    this.expire();
    return [...this.#workers.values()].map(({ node, process, worker, acknowledged, endedAt }) => {
      const status = { node, process, worker, connected: endedAt === undefined, acknowledged };
      return endedAt === undefined ? status : { ...status, until: endedAt + this.#options.lastGoodMs };
    });
  }

  get connected(): number {
    let count = 0;
    for (const { endedAt } of this.#workers.values()) if (endedAt === undefined) count++;
    return count;
  }

  /** Forgets those whose last verdicts are too old by now, and those that were reloaded. */
  expire(): void {
    const limit = this.#options.now() - this.#options.lastGoodMs;
    let changed = this.#displaceWorkers();
    for (const [key, { endedAt }] of this.#workers) {
      if (endedAt === undefined || endedAt > limit) continue;
      this.#workers.delete(key);
      changed = true;
    }
    if (changed) this.#changed();
  }

  /** Called after workers came, went or acknowledged. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolved when every connected worker has acknowledged the revision, or is no longer connected. */
  acknowledged(sequence: number): { readonly done: Promise<void>; cancel(): void } {
    let cancel = (): void => {};
    const done = new Promise<void>((resolve) => {
      const look = () => {
        for (const worker of this.#workers.values()) {
          if (worker.endedAt === undefined && worker.acknowledged < sequence) return;
        }
        cancel();
        resolve();
      };
      cancel = this.onChange(look);
      look();
    });
    return { done, cancel: () => cancel() };
  }

  /** One node runs one process: what ended of older ones will not answer again. */
  #displaceProcesses(node: string, process: string): void {
    if (this.#processes.get(node) !== process) {
      for (const [key, worker] of this.#workers) {
        if (worker.node === node && worker.process !== process && worker.endedAt !== undefined)
          this.#workers.delete(key);
      }
    }
    this.#processes.delete(node);
    this.#processes.set(node, process);
    if (this.#processes.size <= (this.#options.maxNodes ?? MAX_NODES)) return;
    const busy = new Set([...this.#workers.values()].map((worker) => worker.node));
    for (const known of this.#processes.keys()) {
      if (known === node || busy.has(known)) continue;
      this.#processes.delete(known);
      break;
    }
  }

  /**
   * A process has so many workers: with more, the first that ended was reloaded and is gone. So is one that fell silent:
   * a VM that trapped says nothing more, but Envoy 1.40 keeps a worker's first VM and its stream.
   */
  #displaceWorkers(): boolean {
    const processes = new Map<string, [key: string, worker: Worker][]>();
    for (const [key, worker] of this.#workers) {
      const name = `${worker.process}/${worker.node}`;
      const others = processes.get(name);
      if (others === undefined) processes.set(name, [[key, worker]]);
      else others.push([key, worker]);
    }
    let changed = false;
    for (const workers of processes.values()) {
      const excess = workers.length - (workers.at(-1)?.[1].concurrency ?? workers.length);
      if (excess <= 0) continue;
      for (const [key] of this.#goneFirst(workers).slice(0, excess)) changed = this.#workers.delete(key);
    }
    return changed;
  }

  /** Those that ended or fell silent, the longest ago first. */
  #goneFirst(workers: [key: string, worker: Worker][]): [key: string, since: number][] {
    const limit = this.#options.now() - SILENCE_MS;
    const gone = workers.flatMap(([key, { endedAt, heardAt }]): [string, number][] => {
      if (endedAt !== undefined) return [[key, endedAt]];
      return heardAt <= limit ? [[key, heardAt]] : [];
    });
    return gone.sort((a, b) => a[1] - b[1]);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
