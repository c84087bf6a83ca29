/**
 * A wire between two Unix sockets that can be cut without either side being told: what a dropped packet is to TCP.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

export class Relay {
  readonly path: string;
  readonly #target: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  static async start(path: string, target: string): Promise<Relay> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return new Relay(path, target, server);
  }

  private constructor(path: string, target: string, server: Server) {
    this.path = path;
    this.#target = target;
    this.#server = server;
    server.on("connection", (near) => this.#join(near));
  }

  /** Nothing goes through any more; connections stay open. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** What was held goes on its way. */
  mend(): void {
    this.#cut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(near: Socket): void {
    const far = connect(this.#target);
    const pair: [Socket, Socket][] = [
      [near, far],
      [far, near],
    ];
    for (const [from, to] of pair) {
      this.#sockets.add(from);
      from.on("data", (data) => to.write(data));
      from.on("error", () => from.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#cut) from.pause();
    }
  }
}
