/**
 * The network of egress-world.ts, as a test sees it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { StackOptions } from "./stack.ts";

export interface EgressCalls {
  readonly apply: { readonly asks: { readonly policy: string }; readonly answer: undefined };
  /** Data of the answer's records. */
  readonly ask: { readonly asks: { readonly client: string; readonly name: string }; readonly answer: string[] };
  readonly connect: {
    /**
     * To an address, or to that of a name, at once when it is known; by default where a server says again what it is told.
     * At port 8025 one speaks first.
     */
    readonly asks: { readonly client: string; readonly to: string; readonly port?: number; readonly says?: string };
    readonly answer: { readonly heard: boolean; readonly milliseconds: number };
  };
  /** The connection log. */
  readonly log: { readonly asks: object; readonly answer: string };
  /** Ends the policy service as a machine's failure would, and starts it again. */
  readonly killService: { readonly asks: object; readonly answer: undefined };
  /** Of the admin API. */
  readonly get: { readonly asks: { readonly path: string }; readonly answer: string };
  readonly stop: { readonly asks: object; readonly answer: undefined };
}

export type EgressCall = {
  readonly [K in keyof EgressCalls]: { readonly call: K; readonly asks: EgressCalls[K]["asks"] };
}[keyof EgressCalls];

export interface EgressOptions extends StackOptions {
  /** As in envoy/options.ts. */
  readonly serverFirst?: boolean;
}

export class Egress {
  readonly #child: ChildProcess;

  static async start(options: EgressOptions): Promise<Egress> {
    const child = fork(fileURLToPath(new URL("egress-world.ts", import.meta.url)), {
      execPath: "unshare",
      execArgv: ["--net", process.execPath, "--import", "tsx"],
    });
    const egress = new Egress(child);
    await egress.#say({ open: options });
    return egress;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** One at a time. */
  call<K extends keyof EgressCalls>(call: K, asks: EgressCalls[K]["asks"]): Promise<EgressCalls[K]["answer"]> {
    return this.#say({ call, asks }) as Promise<EgressCalls[K]["answer"]>;
  }

  async stop(): Promise<void> {
    await this.call("stop", {});
    this.#child.disconnect();
    await once(this.#child, "exit");
  }

  async #say(message: object): Promise<unknown> {
    const answered = once(this.#child, "message");
    this.#child.send(message);
    const [reply] = (await answered) as [{ readonly value?: unknown; readonly error?: string }];
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply.value;
  }
}
