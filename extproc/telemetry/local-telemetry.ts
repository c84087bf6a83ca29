/**
 * Telemetry on the thread of whoever asks: for tests, and inside the thread that the service gives it.
 */
import type { ClientPod } from "./client-pods.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import { type EngineOptions, TelemetryEngine } from "./engine.ts";
import type { QueryFilter, QuestionKind, Questions, Telemetry } from "./questions.ts";
import type { TelemetrySettings } from "./settings.ts";

/** Telemetry, and what feeds it. */
export interface TelemetryRoom extends Telemetry {
  /** Takes an EventBatch of a worker of `node`; `done` is given the lines of what is to be logged when it is counted. */
  take(batch: Uint8Array, node: string, done: (logged: readonly string[]) => void): void;
  /** What became of a connection. */
  connection(event: ConnectionEvent): void;
  /** Events that never came. */
  lost(count: number): void;
  configure(settings: TelemetrySettings): void;
  /** `all`: which pods have clients' addresses, whenever that is asked. Returns how to tell of addresses that changed. */
  followClients(all: () => readonly ClientPod[]): (changed: readonly ClientPod[]) => void;
  close(): Promise<void>;
}

export class LocalTelemetry implements TelemetryRoom {
  readonly #engine: TelemetryEngine;

  constructor(options: EngineOptions) {
    this.#engine = new TelemetryEngine(options);
  }

  take(batch: Uint8Array, node: string, done: (logged: readonly string[]) => void): void {
    done(this.#engine.take(batch, node));
  }

  connection(event: ConnectionEvent): void {
    this.#engine.connection(event);
  }

  lost(count: number): void {
    this.#engine.lost(count);
  }

  configure(settings: TelemetrySettings): void {
    this.#engine.configure(settings);
  }

  followClients(all: () => readonly ClientPod[]): (changed: readonly ClientPod[]) => void {
    this.#engine.clients(all());
    return (changed) => this.#engine.clients(changed);
  }

  ask<K extends QuestionKind>(kind: K, asks: Questions[K]["asks"]): Promise<Questions[K]["answer"]> {
    return this.#engine.ask(kind, asks);
  }

  watch(filter: QueryFilter, listener: (queries: readonly string[], lost: number) => void): () => void {
    return this.#engine.watch(filter, listener);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
