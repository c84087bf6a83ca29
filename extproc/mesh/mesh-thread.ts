/**
 * The mesh thread's main module: objects and questions in, what workers are told out.
 */
import { parentPort, workerData } from "node:worker_threads";
import { LocalMesh } from "./local-mesh.ts";
import { CLIENT_KINDS, type MeshMember, type WorkerChannel } from "./mesh-room.ts";
import type { MeshObject } from "./sources/object.ts";
import type { ObjectChange, ObjectDelta } from "./sources/object-store.ts";
import type { FromThread, ThreadOptions, ToThread } from "./thread-messages.ts";

/** Messages of some 48 KiB on the way to one worker: decisions wait for more of them at once. */
const MAX_UNDER_WAY = 2;
const STATUS_MS = 1000;

function tell(message: FromThread, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  const mesh = await LocalMesh.open(workerData as ThreadOptions, {
    now: Date.now,
    after: (milliseconds, task) => void setTimeout(task, milliseconds),
    onTrouble: (level, fields, message) => tell({ kind: "trouble", level, fields, message }),
  });
  run(mesh);
  tell({ kind: "ready" });
} catch (error) {
  tell({ kind: "ready", error: explain(error) });
}

function run(mesh: LocalMesh): void {
  const workers = new Map<number, { readonly channel: Channel; readonly member: MeshMember }>();
  tellClients(mesh);
  let told = "";
  const tellStatus = () => {
    const status = mesh.status();
    const text = JSON.stringify(status);
    if (text !== told) tell({ kind: "status", status });
    told = text;
  };
  tellStatus();
  setInterval(tellStatus, STATUS_MS);
  parentPort?.on("message", (message: ToThread) => {
    switch (message.kind) {
      case "ask": {
        const { id, question, asks } = message;
        mesh.ask(question, asks as never).then(
          (answer) => {
            if (question === "apply") tellStatus();
            tell({ kind: "answer", id, answer });
          },
          (error: unknown) => tell({ kind: "failed", id, error: explain(error) }),
        );
        return;
      }
      case "join": {
        const channel = new Channel(message.member);
        workers.set(message.member, { channel, member: mesh.join(channel, message.node) });
        return;
      }
      case "interested":
        workers.get(message.member)?.member.interested(message.views);
        return;
      case "sent":
        workers.get(message.member)?.channel.sent();
        return;
      case "leave":
        workers.get(message.member)?.member.leave();
        workers.delete(message.member);
        return;
      case "watchDestinations":
        mesh.watchDestinations((change) => tell({ kind: "destinations", change }));
        return;
      case "close":
        mesh.close().then(
          () => tell({ kind: "answer", id: message.id, answer: undefined }),
          (error: unknown) => tell({ kind: "failed", id: message.id, error: explain(error) }),
        );
    }
  });
}

/** To a worker, by way of the thread that has its stream. */
class Channel implements WorkerChannel {
  readonly #member: number;
  #underWay = 0;
  #free: (() => void) | undefined;

  constructor(member: number) {
    this.#member = member;
  }

  get isCongested(): boolean {
    return this.#underWay >= MAX_UNDER_WAY;
  }

  send(message: Uint8Array): void {
    this.#underWay++;
    // A copy of its own, whose memory changes hands: protobufjs cuts small messages from a larger buffer.
    const copy = new Uint8Array(message);
    tell({ kind: "send", member: this.#member, message: copy }, [copy.buffer]);
  }

  whenFree(task: () => void): void {
    this.#free = task;
  }

  sent(): void {
    this.#underWay--;
    if (this.isCongested || this.#free === undefined) return;
    // After timers had their turn: a port hands over what comes meanwhile, too, and a worker takes a thousand messages.
    setImmediate(this.#free);
    this.#free = undefined;
  }
}

function tellClients(mesh: LocalMesh): void {
  const isClient = ({ kind }: { readonly kind: MeshObject["kind"] }) => CLIENT_KINDS.includes(kind);
  const tellOf = (delta: ObjectDelta) => tell({ kind: "clients", delta });
  tellOf({ set: CLIENT_KINDS.flatMap((kind) => [...mesh.clients.list(kind)]) });
  mesh.clients.onChange((changes: readonly ObjectChange[]) => {
    const some = changes.filter(({ key }) => isClient(key));
    if (some.length === 0) return;
    tellOf({
      set: some.flatMap(({ after }) => (after === undefined ? [] : [after])),
      delete: some.flatMap(({ key, after }) => (after === undefined ? [key] : [])),
    });
  });
}
