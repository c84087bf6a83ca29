/**
 * The services of one store, each with what its own workers and Envoys obey: on a board that all of them read, where nothing
 * stays for long of a service that is gone. So it is known whether a policy is programmed everywhere.
 */
import { type Clock, within } from "./clock.ts";
import type { EnvoyStatus } from "./discovery/envoy-stream.ts";
import type { WorkerStatus } from "./sync/registry.ts";

/** What one says of its workers, with what all others have said. */
export interface ReplicaState {
  readonly workers: number;
  /** The oldest revision that one of them has acknowledged last; 0 without workers. */
  readonly acknowledged: number;
  /** Which that is, in words. */
  readonly oldest: string;
  /** An Envoy that has rejected its clusters, and why; empty where there is none. */
  readonly rejected: string;
}

/** What one tells the others. */
export interface ReplicaReport {
  /** By their random numbers and nodes: a worker that is away here may be another's by now. */
  readonly connected: readonly string[];
  /** The oldest revision that one of those has acknowledged last; 0 without any. */
  readonly acknowledged: number;
  readonly oldest: string;
  /** They may still answer by what they have acknowledged. */
  readonly away: readonly AwayWorker[];
  readonly rejected: string;
}

interface AwayWorker {
  readonly worker: string;
  readonly acknowledged: number;
  /** In words. */
  readonly name: string;
}

/** Where services of one store tell each other something. */
export interface ReplicaBoard {
  /** Tells all there is now, this service's own too, and then what changes. */
  read(reader: BoardReader): void;
  /** In the place of what that service told before. */
  tell(identity: string, text: string): Promise<void>;
  remove(identity: string): Promise<void>;
  close(): void;
}

export interface BoardReader {
  readonly onTold: (identity: string, text: string) => void;
  readonly onGone: (identity: string) => void;
}

export interface ReplicasOptions {
  readonly board: ReplicaBoard;
  readonly identity: string;
  readonly clock: Clock;
  /** How often it is looked whether there is something new to tell. */
  readonly everyMs: number;
  readonly report: () => ReplicaReport;
  readonly onFailed: (error: unknown) => void;
}

/** Annotations have 256 KiB in all. Of workers beyond these, nobody knows that they have come from another. */
const MAX_CONNECTED = 3000;
const MAX_AWAY = 500;
/** What is not new is told so often. */
const RENEW_MS = 10_000;
/** A replica that says nothing for so long is none. */
export const SILENCE_MS = 30_000;
/** For acknowledgements of workers of others. */
const SETTLE_MS = 5000;
/** Meanwhile, it is looked so often who has come here. */
const LOOK_MS = 100;

export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #others = new Map<string, { readonly report: ReplicaReport; readonly heardAt: number }>();
  #waiting: readonly (() => void)[] = [];
  #told = { text: "", at: 0 };
  #telling: Promise<void> = Promise.resolve();
  #isIdle = true;
  #failing = false;
  readonly #stop: () => void;

  constructor(options: ReplicasOptions) {
    const { board, clock, everyMs } = options;
    this.#options = options;
    board.read({
      onTold: (identity, text) => this.#hear(identity, text),
      onGone: (identity) => {
        this.#others.delete(identity);
        this.#changed();
      },
    });
    this.#stop = clock.every(everyMs, () => this.#report());
  }

  /** Of all that are there, this one among them. */
  states(): readonly ReplicaState[] {
    return statesOf(this.#reports());
  }

  /** How many of all workers are this service's: 1 is all of them. */
  get part(): number {
    const [own, ...others] = this.#reports();
    const all = new Set([own, ...others].flatMap((report) => report?.connected ?? []));
    return own === undefined || own.connected.length === 0 ? 1 : own.connected.length / all.size;
  }

  /** `own` are this service's. All that may answer; of another service, each is said to be where its oldest is. */
  workers(own: readonly WorkerStatus[]): readonly WorkerStatus[] {
    const connected = new Set(own.filter((worker) => worker.connected).map(keyOf));
    const others = this.#otherReports();
    const present = others.flatMap((report) =>
      report.connected.flatMap((key) => {
        if (connected.has(key)) return [];
        connected.add(key);
        return [toStatus(key, report.acknowledged, true)];
      }),
    );
    const away = others.flatMap((report) =>
      report.away.flatMap(({ worker, acknowledged }) =>
        connected.has(worker) ? [] : [toStatus(worker, acknowledged, false)],
      ),
    );
    return [...own.filter((worker) => worker.connected || !connected.has(keyOf(worker))), ...present, ...away];
  }

  /**
   * Resolved when no worker is behind the revision that is connected to another service, or the time for that is up. One that
   * was killed has told of workers which are here by now, or will be in a moment.
   */
  async settled(sequence: number, own: () => readonly WorkerStatus[]): Promise<void> {
    const { clock } = this.#options;
    const isDone = (): boolean => {
      const here = new Set(own());
      return this.workers([...here]).every(
        (worker) => here.has(worker) || !worker.connected || worker.acknowledged >= sequence,
      );
    };
    const end = clock.elapsed() + SETTLE_MS;
    while (!isDone() && clock.elapsed() < end) {
      const changed = new Promise<void>((resolve) => {
        this.#waiting = [...this.#waiting, resolve];
      });
      await within(clock, LOOK_MS, changed);
    }
  }

  /** This service's first, and then the newest. */
  #reports(): readonly ReplicaReport[] {
    return [this.#options.report(), ...this.#otherReports()];
  }

  #otherReports(): readonly ReplicaReport[] {
    const { clock, identity } = this.#options;
    const now = clock.elapsed();
    const others = [...this.#others].filter(([name, { heardAt }]) => name !== identity && now - heardAt < SILENCE_MS);
    others.sort(([, a], [, b]) => b.heardAt - a.heardAt);
    return others.map(([, { report }]) => report);
  }

  /** The leader's work: what services that are gone have left. */
  async removeSilent(): Promise<void> {
    const { board, clock } = this.#options;
    const now = clock.elapsed();
    for (const [name, { heardAt }] of this.#others) {
      if (now - heardAt < 2 * SILENCE_MS) continue;
      this.#others.delete(name);
      await board.remove(name).catch(() => {});
    }
  }

  async close(): Promise<void> {
    const { board, identity } = this.#options;
    this.#stop();
    board.close();
    await this.#telling;
    await board.remove(identity).catch(() => {});
  }

  #hear(identity: string, text: string): void {
    const report = readReport(text);
    // Of another release: it is not waited for.
    if (report === undefined) this.#others.delete(identity);
    else this.#others.set(identity, { report, heardAt: this.#options.clock.elapsed() });
    this.#changed();
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #report(): void {
    const { board, identity, clock, report, onFailed } = this.#options;
    const text = JSON.stringify(report());
    const now = clock.elapsed();
    if (!this.#isIdle || (text === this.#told.text && now - this.#told.at < RENEW_MS)) return;
    this.#isIdle = false;
    this.#telling = board
      .tell(identity, text)
      .then(
        () => {
          this.#told = { text, at: now };
          this.#failing = false;
        },
        (error: unknown) => {
          if (!this.#failing) onFailed(error);
          this.#failing = true;
        },
      )
      .finally(() => {
        this.#isIdle = true;
      });
  }
}

function readReport(text: string): ReplicaReport | undefined {
  try {
    const report = JSON.parse(text) as ReplicaReport;
    return Array.isArray(report.connected) && Array.isArray(report.away) ? report : undefined;
  } catch {
    return undefined;
  }
}

export function reportOf(workers: readonly WorkerStatus[], envoys: readonly EnvoyStatus[]): ReplicaReport {
  const byAge = [...workers].sort((a, b) => a.acknowledged - b.acknowledged);
  const connected = byAge.filter((worker) => worker.connected);
  const away = byAge.filter((worker) => !worker.connected).slice(0, MAX_AWAY);
  const [oldest] = connected;
  const rejecting = envoys.find(({ rejected }) => rejected !== "");
  return {
    connected: connected.slice(0, MAX_CONNECTED).map(keyOf),
    acknowledged: oldest?.acknowledged ?? 0,
    oldest: oldest === undefined ? "" : nameOf(oldest),
    away: away.map((worker) => ({
      worker: keyOf(worker),
      acknowledged: worker.acknowledged,
      name: nameOf(worker),
    })),
    rejected: rejecting === undefined ? "" : `Envoy ${rejecting.node} has rejected its clusters: ${rejecting.rejected}`,
  };
}

/**
 * `reports`: the newest first. A worker is of who has told of it last: another may have been killed, or be hung, and what it
 * told stays for a while.
 */
export function statesOf(reports: readonly ReplicaReport[]): readonly ReplicaState[] {
  const connected = new Set<string>();
  const present = reports.map((report) => {
    const own = report.connected.filter((worker) => !connected.has(worker));
    for (const worker of own) connected.add(worker);
    return { report, own };
  });
  return present.map(({ report, own }) => {
    const away = report.away.filter(({ worker }) => !connected.has(worker));
    const here = own.length === 0 ? [] : [{ acknowledged: report.acknowledged, name: report.oldest }];
    const [oldest] = [...here, ...away].sort((a, b) => a.acknowledged - b.acknowledged);
    return {
      workers: own.length + away.length,
      acknowledged: oldest?.acknowledged ?? 0,
      oldest: oldest?.name ?? "",
      rejected: report.rejected,
    };
  });
}

function toStatus(key: string, acknowledged: number, connected: boolean): WorkerStatus {
  const [worker = "", ...node] = key.split("/");
  return { node: node.join("/"), process: "", worker, connected, acknowledged };
}

function keyOf({ worker, node }: WorkerStatus): string {
  return `${worker}/${node}`;
}

function nameOf({ worker, node }: WorkerStatus): string {
  return `worker ${worker} of ${node}`;
}
