/**
 * A program that is captured: it looks names up as programs do (getaddrinfo) and connects to what it is told. It runs as
 * nobody, in a process of its own; this file is both ends of it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";

const NOBODY = 65_534;
const PATIENCE_MS = 5000;

export interface Dial {
  readonly name: string;
  readonly port: number;
  /** 4 or 6; by default what the program gets first. */
  readonly family?: 4 | 6;
  /** The address that it connects from, where it is not the usual one. */
  readonly from?: string;
}

/** What the server said first; or why there was nothing. */
export type Dialled = { readonly said: string; readonly address: string } | { readonly error: string };

type Call =
  | { readonly do: "dial"; readonly dials: readonly Dial[]; readonly atOnce: number }
  | { readonly do: "hold"; readonly dial: Dial }
  | { readonly do: "say"; readonly text: string };

export class Dialler {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #lastId = 0;

  static async start(): Promise<Dialler> {
    const child = fork(fileURLToPath(import.meta.url), { execArgv: ["--import", "tsx"] });
    await once(child, "message");
    return new Dialler(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", ({ id, result }: { readonly id: number; readonly result: unknown }) => {
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  /** Each with a connection of its own, so many at once. */
  dialAll(dials: readonly Dial[], atOnce = 8): Promise<readonly Dialled[]> {
    return this.#call({ do: "dial", dials, atOnce }) as Promise<readonly Dialled[]>;
  }

  async dial(dial: Dial): Promise<Dialled> {
    const [dialled] = await this.dialAll([dial]);
    if (dialled === undefined) throw new Error("expected a result");
    return dialled;
  }

  /** A connection that stays open. */
  hold(dial: Dial): Promise<Dialled> {
    return this.#call({ do: "hold", dial }) as Promise<Dialled>;
  }

  /** What comes back when it says this on the connection that is held; or why nothing does. */
  say(text: string): Promise<Dialled> {
    return this.#call({ do: "say", text }) as Promise<Dialled>;
  }

  async stop(): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, "exit");
  }

  #call(call: Call): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, call });
    });
  }
}

/** Opens a connection, and waits for the first line. */
async function open({
  name,
  port,
  family,
  from,
}: Dial): Promise<{ readonly socket?: Socket; readonly dialled: Dialled }> {
  try {
    const { address } = await lookup(name, { family: family ?? 0 });
    const socket = connect({ host: address, port, ...(from === undefined ? {} : { localAddress: from }) });
    const said = await next(socket);
    return "error" in said ? { dialled: said } : { socket, dialled: { said: said.said, address } };
  } catch (error) {
    return { dialled: { error: (error as Error).message } };
  }
}

function next(socket: Socket): Promise<{ readonly said: string } | { readonly error: string }> {
  return new Promise((resolve) => {
    const fail = (error: string) => {
      socket.destroy();
      resolve({ error });
    };
    const timer = setTimeout(() => fail("nothing came"), PATIENCE_MS);
    const end = (result: { readonly said: string } | { readonly error: string }) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on("error", () => {});
      resolve(result);
    };
    socket.once("data", (data: Buffer) => end({ said: data.toString().trim() }));
    socket.once("error", (error) => end({ error: error.message }));
    socket.once("close", () => end({ error: "closed" }));
    socket.once("end", () => end({ error: "closed" }));
  });
}

async function dialEach(dials: readonly Dial[], atOnce: number): Promise<readonly Dialled[]> {
  const results: Dialled[] = [];
  let at = 0;
  const work = async () => {
    for (let mine = at++; mine < dials.length; mine = at++) {
      const { socket, dialled } = await open(dials[mine] as Dial);
      socket?.destroy();
      results[mine] = dialled;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
  let held: Socket | undefined;
  process.on("message", ({ id, call }: { readonly id: number; readonly call: Call }) => {
    const answer = async (): Promise<unknown> => {
      if (call.do === "dial") return dialEach(call.dials, call.atOnce);
      if (call.do === "hold") {
        const { socket, dialled } = await open(call.dial);
        held = socket;
        return dialled;
      }
      if (held === undefined || held.destroyed) return { error: "closed" };
      held.write(`${call.text}\n`);
      return next(held);
    };
    answer().then((result) => process.send?.({ id, result }));
  });
  process.on("disconnect", () => process.exit());
  process.send("ready");
}
