/**
 * The mesh thread, seen from the decision thread: a hundred thousand services are read, and named, while decisions are
 * made. What a worker is told comes from there as it goes to the worker.
 */
import { Worker } from "node:worker_threads";
import type { DestinationListener } from "./egress/told-destinations.ts";
import { NO_HEALTH } from "./health/health-checks.ts";
import type { MeshSurroundings } from "./local-mesh.ts";
import type { MeshMember, MeshQuestion, MeshQuestions, MeshRoom, MeshStatus, WorkerChannel } from "./mesh-room.ts";
import { ObjectStore } from "./sources/object-store.ts";
import type { FromThread, ThreadOptions, ToThread } from "./thread-messages.ts";

/** Where this is built, and where the sources run. */
const MODULE = /\.ts(\?|$)/.test(import.meta.url) ? "./thread-from-sources.mjs" : "./mesh-thread.js";
const LIMITS = {
  /** Objects that are read stay: a small nursery would only copy them several times. */
  maxYoungGenerationSizeMb: 64,
  /**
   * Three times what a million endpoints take while all is named anew. Where V8 may have 2 GiB or more, it lets a heap grow
   * fourfold before it looks for garbage; by a limit like this, not twofold.
   */
  maxOldGenerationSizeMb: 1536,
};

interface Question {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export interface MeshThreadOptions extends ThreadOptions {
  readonly onTrouble: MeshSurroundings["onTrouble"];
  /** The thread has ended, and with it what this service knew of the mesh. */
  readonly onFailed: (error: Error) => void;
}

/** Resolved when its files are open; rejects where they cannot be. */
export async function startMesh(options: MeshThreadOptions): Promise<MeshRoom> {
  const thread = new MeshThread(options);
  await thread.ready;
  return thread;
}

const NOTHING_YET: MeshStatus = {
  objects: 0,
  names: 0,
  sources: [],
  virtualAddresses: { size: 0, used: 0, quarantined: 0, without: 0 },
  health: NO_HEALTH,
};

class MeshThread implements MeshRoom {
  readonly clients = new ObjectStore();
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #questions = new Map<number, Question>();
  readonly #members = new Map<number, WorkerChannel>();
  #destinations: DestinationListener = () => {};
  #status = NOTHING_YET;
  #lastId = 0;
  #closing = false;
  #failure: Error | undefined;

  constructor({ onTrouble, onFailed, ...places }: MeshThreadOptions) {
    this.#worker = new Worker(new URL(MODULE, import.meta.url), {
      name: "mesh",
      workerData: places satisfies ThreadOptions,
      resourceLimits: LIMITS,
    });
    this.ready = new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        this.#failure ??= error;
        for (const question of this.#questions.values()) question.reject(error);
        this.#questions.clear();
        reject(error);
        if (!this.#closing) onFailed(error);
      };
      this.#worker.on("error", fail);
      this.#worker.on("exit", (code) => fail(new Error(`the mesh thread ended with code ${code}`)));
      this.#worker.on("message", (message: FromThread) => {
        if (message.kind === "trouble") onTrouble(message.level, message.fields, message.message);
        else if (message.kind !== "ready") this.#hear(message);
        else if (message.error === undefined) resolve();
        else {
          this.#closing = true;
          reject(new Error(message.error));
          void this.#worker.terminate();
        }
      });
    });
  }

  ask<K extends MeshQuestion>(question: K, asks: MeshQuestions[K]["asks"]): Promise<MeshQuestions[K]["answer"]> {
    return this.#ask({ kind: "ask", id: ++this.#lastId, question, asks });
  }

  join(channel: WorkerChannel, node: string): MeshMember {
    const member = ++this.#lastId;
    this.#members.set(member, channel);
    this.#tell({ kind: "join", member, node });
    return {
      interested: (views) => this.#tell({ kind: "interested", member, views }),
      leave: () => {
        this.#members.delete(member);
        this.#tell({ kind: "leave", member });
      },
    };
  }

  watchDestinations(listener: DestinationListener): void {
    this.#destinations = listener;
    this.#tell({ kind: "watchDestinations" });
  }

  status(): MeshStatus {
    return this.#status;
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    try {
      await this.#ask({ kind: "close", id: ++this.#lastId });
    } finally {
      await this.#worker.terminate();
    }
  }

  #ask<T>(message: ToThread & { readonly id: number }): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#questions.set(message.id, { resolve: (answer) => resolve(answer as T), reject });
      this.#tell(message);
    });
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #hear(message: Exclude<FromThread, { readonly kind: "ready" | "trouble" }>): void {
    switch (message.kind) {
      case "answer":
        this.#settle(message.id)?.resolve(message.answer);
        return;
      case "failed":
        this.#settle(message.id)?.reject(new Error(message.error));
        return;
      case "send":
        this.#send(message.member, message.message);
        return;
      case "clients":
        this.clients.apply(message.delta);
        return;
      case "destinations":
        this.#destinations(message.change);
        return;
      case "status":
        this.#status = message.status;
    }
  }

  #send(member: number, message: Uint8Array): void {
    const channel = this.#members.get(member);
    if (channel === undefined) return;
    channel.send(message);
    const sent = () => this.#tell({ kind: "sent", member });
    if (channel.isCongested) channel.whenFree(sent);
    else sent();
  }

  #settle(id: number): Question | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    return question;
  }
}
