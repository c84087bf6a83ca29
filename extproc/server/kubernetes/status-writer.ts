/**
 * Writes what became of objects into their status: the leader alone, once a second at most, and only what is other than it
 * was written last.
 */
import { isNotFound, type KubernetesApi } from "../../kubernetes/api.ts";
import type { PolicyObject } from "../../store/kubernetes/policy-objects.ts";
import type { JudgedObject } from "../../store/kubernetes/publisher.ts";
import type { Clock } from "../clock.ts";
import { nextStatus, type ObjectStatus, type Seen } from "./object-status.ts";

export interface StatusWriterOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  /** As it is now: undefined for one that is gone. */
  readonly current: (object: PolicyObject) => PolicyObject | undefined;
  readonly seen: () => Omit<Seen, "time">;
  readonly onFailed: (error: unknown) => void;
}

const TICK_MS = 1000;
/** So many are under way at a time. */
const AT_ONCE = 8;
/** What was written is told by the API a moment later: until then, it is not written again. */
const ECHO_MS = 30_000;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  #judged: readonly JudgedObject[] = [];
  /** By path, what was written last, and when. */
  readonly #written = new Map<string, { readonly text: string; readonly at: number }>();
  #leads = false;
  #isIdle = true;
  #failing = false;
  #writing: Promise<void> = Promise.resolve();
  readonly #stop: () => void;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#stop = options.clock.every(TICK_MS, () => this.#tick());
  }

  lead(leads: boolean): void {
    this.#leads = leads;
    this.#judged = [];
    this.#written.clear();
  }

  judged(judged: readonly JudgedObject[]): void {
    this.#judged = judged;
  }

  async close(): Promise<void> {
    this.#leads = false;
    this.#stop();
    await this.#writing;
  }

  #isUnderWay(path: string, status: ObjectStatus): boolean {
    const last = this.#written.get(path);
    return last?.text === textOf(status) && this.#options.clock.elapsed() - last.at < ECHO_MS;
  }

  #tick(): void {
    if (!this.#leads || !this.#isIdle) return;
    this.#isIdle = false;
    this.#writing = this.#write().finally(() => {
      this.#isIdle = true;
    });
  }

  async #write(): Promise<void> {
    const { clock, seen, current, api, onFailed } = this.#options;
    const now = { ...seen(), time: `${new Date(clock.now()).toISOString().slice(0, 19)}Z` };
    const due = this.#judged.flatMap((judged) => {
      const object = current(judged.object);
      // What is newer than what was judged will be judged, too.
      if (object?.text !== judged.object.text || object.generation !== judged.object.generation) return [];
      const status = nextStatus({ ...judged, object }, now);
      const path = `${object.path}/status`;
      return status === undefined || this.#isUnderWay(path, status) ? [] : [{ path, status }];
    });
    try {
      for (let at = 0; at < due.length && this.#leads; at += AT_ONCE) {
        const some = due.slice(at, at + AT_ONCE);
        await Promise.all(some.map(({ path, status }) => api.request("PATCH", path, { status }).catch(unlessGone)));
        for (const { path, status } of some) this.#written.set(path, { text: textOf(status), at: clock.elapsed() });
      }
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) onFailed(error);
      this.#failing = true;
    }
  }
}

function textOf({ conditions, ...status }: ObjectStatus): string {
  return JSON.stringify([status, conditions.map(({ lastTransitionTime: _, ...condition }) => condition)]);
}

function unlessGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
