/**
 * Server-sent events out of the text that carries them, in whatever pieces it comes (HTML, section 9.2.6).
 */
export class ServerEvents {
  readonly #listener: (event: string, data: string) => void;
  #rest = "";

  constructor(listener: (event: string, data: string) => void) {
    this.#listener = listener;
  }

  push(text: string): void {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n");
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      const event = lines.findLast((line) => line.startsWith("event: "))?.slice(7) ?? "message";
      if (data.length > 0) this.#listener(event, data.join("\n"));
    }
  }
}
