/**
 * Messages to one webhook, one after the other, each until it is taken: tried again with growing pauses, and given up after some
 * tries. What waits is bounded.
 */
import { type ClientRequest, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { PRODUCT, VERSION } from "../../product.ts";
import type { ExportContext } from "./event-exporter.ts";

/** Messages that may wait. */
const MAX_WAITING = 1000;
const MAX_TRIES = 8;
const ANSWER_MS = 10_000;
/** Pauses double from the first to the last, until something is taken. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 60_000;
/** For what waits when the service ends. */
const CLOSE_MS = 2000;

export interface Message {
  readonly id: string;
  readonly body: string;
  /** How many things it tells of. */
  readonly count: number;
}

export interface DeliveryOptions extends ExportContext {
  /** For people. */
  readonly what: string;
  readonly url: string;
  /** PEM to trust instead of the public authorities. */
  readonly ca: string | undefined;
  /** Asked for each try. */
  readonly headers: (message: Message) => Promise<Readonly<Record<string, string>>>;
}

export class WebhookDelivery {
  readonly #options: DeliveryOptions;
  readonly #waiting: Message[] = [];
  /** Ends a pause. */
  #wake = (): void => {};
  /** The try that is under way. */
  #request: ClientRequest | undefined;
  #working: Promise<void> | undefined;
  #pause = FIRST_PAUSE_MS;
  #inTrouble = false;
  #closed = false;
  sent = 0;
  lost = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#closed || this.#waiting.length >= MAX_WAITING) this.lost += message.count;
      else this.#waiting.push(message);
    }
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** What waits is tried once more. */
  async close(): Promise<void> {
    this.#closed = true;
    const cancel = this.#options.after(CLOSE_MS, () => {
      this.#lose();
      this.#request?.destroy(new Error("the service ends"));
    });
    this.#wake();
    await this.#working;
    cancel();
  }

  async #work(): Promise<void> {
    for (let message = this.#waiting[0]; message !== undefined; message = this.#waiting[0]) {
      const taken = await this.#deliver(message);
      // While it was under way, all that waits may have been given up.
      if (this.#waiting[0] !== message) continue;
      this.#waiting.shift();
      if (taken) this.sent += message.count;
      else this.lost += message.count;
    }
  }

  /** Whether it was taken in the end. */
  async #deliver(message: Message): Promise<boolean> {
    const { what, onTrouble, random } = this.#options;
    for (let tries = 1; ; tries++) {
      const trouble = await this.#try(message).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (trouble === undefined) {
        this.#pause = FIRST_PAUSE_MS;
        this.#inTrouble = false;
        return true;
      }
      if (!this.#inTrouble) onTrouble(`${what}: a message is not taken, trying again: ${trouble}`);
      this.#inTrouble = true;
      if (tries >= MAX_TRIES || this.#closed) return false;
      // Of half of it at the least, so that receivers that were away are not asked by all at once.
      await this.#rest(this.#pause * (0.5 + random() / 2));
      this.#pause = Math.min(LAST_PAUSE_MS, 2 * this.#pause);
    }
  }

  async #rest(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.after(milliseconds, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }

  async #try(message: Message): Promise<void> {
    const { url, ca, headers, after } = this.#options;
    const target = new URL(url);
    const options: RequestOptions = {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(message.body),
        "user-agent": `${PRODUCT}/${VERSION}`,
        ...(await headers(message)),
      },
    };
    await new Promise<void>((resolve, reject) => {
      const request =
        target.protocol === "https:" ? requestHttps(target, { ...options, ca }) : requestHttp(target, options);
      this.#request = request;
      const cancel = after(ANSWER_MS, () => request.destroy(new Error(`expected an answer within ${ANSWER_MS} ms`)));
      request.on("response", (response) => {
        const { statusCode = 0 } = response;
        // The status is all that counts; what else it says is read only so that the connection can be used again.
        response.resume();
        if (statusCode >= 200 && statusCode < 300) resolve();
        else reject(new Error(`expected a status of 2xx, got ${statusCode}`));
      });
      request.on("error", reject);
      request.on("close", cancel);
      request.end(message.body);
    });
  }

  #lose(): void {
    for (const { count } of this.#waiting.splice(0)) this.lost += count;
  }
}
