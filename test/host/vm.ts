/**
 * One wasm VM: calls into the guest, whose context is current while it runs, and what waits until a call is over.
 *
 * Envoy's order of things is kept: a host function acts on the effective context, every call from the host starts
 * without one, and continuing, closing or answering a stream happens after the call (`DeferAfterCallActions`).
 */
import type { Context } from "./context.ts";
import { GuestMemory } from "./memory.ts";

/** The guest ended in a trap. Envoy would close every connection of the worker and make a new VM. */
export class GuestTrap extends Error {
  override readonly name = "GuestTrap";
}

/** Host functions that the guest may call while the host asks it for memory, and while it is initialized. */
const WHILE_ALLOCATING = new Set(["proxy_log", "clock_time_get", "fd_write"]);
const WHILE_INITIALIZING = new Set([...WHILE_ALLOCATING, "random_get", "environ_get", "environ_sizes_get"]);

type GuestFunction = (...values: (number | bigint)[]) => number | bigint | undefined;

export class Vm {
  readonly contexts = new Map<number, Context>();
  /** Set by a local response: whatever the callback returns, iteration stops. */
  stopNextIteration = false;
  memory: GuestMemory;
  trap: GuestTrap | undefined;

  #exports: WebAssembly.Exports = {};
  #current: Context | undefined;
  #effective = 0;
  #nextId = 1;
  #afterCall: (() => void)[] = [];
  #allowed: Set<string> | undefined;

  constructor() {
    this.memory = new GuestMemory(new WebAssembly.Memory({ initial: 0 }), () => 0);
  }

  /** Takes the instance over and initializes it, as a WASI reactor. */
  start(instance: WebAssembly.Instance): void {
    this.#exports = instance.exports;
    const memory = instance.exports.memory;
    if (!(memory instanceof WebAssembly.Memory)) throw new Error("the module exports no memory");
    if (!("proxy_abi_version_0_2_1" in instance.exports)) throw new Error("the module does not export its ABI version");
    const allocate = this.#function("proxy_on_memory_allocate") ?? this.#function("malloc");
    if (!allocate) throw new Error("the module exports neither malloc nor proxy_on_memory_allocate");
    this.memory = new GuestMemory(
      memory,
      (size) => Number(this.#restricted(WHILE_ALLOCATING, () => allocate(size))) >>> 0,
    );
    const initialize = this.#function("_initialize");
    if (initialize) this.#restricted(WHILE_INITIALIZING, () => initialize());
  }

  allocateId(): number {
    return this.#nextId++;
  }

  get running(): boolean {
    return this.#current !== undefined;
  }

  /** The context that a host function acts on. */
  get context(): Context {
    const context = this.contexts.get(this.#effective) ?? this.#current;
    if (!context) throw new Error("a host function was called while no call into the guest was under way");
    return context;
  }

  setEffective(id: number): boolean {
    if (!this.contexts.has(id)) return false;
    this.#effective = id;
    return true;
  }

  /** Runs when the call into the guest that is under way has returned. */
  afterCall(action: () => void): void {
    this.#afterCall.push(action);
  }

  has(name: string): boolean {
    return this.#function(name) !== undefined;
  }

  /**
   * Calls the guest with a context; undefined where it does not export the function. `judge` sees the result before
   * the actions that were put off run.
   */
  call<T>(context: Context, name: string, values: number[], judge: (result: number) => T): T | undefined {
    if (this.trap) throw new Error(`the VM trapped before ${name}: ${this.trap.message}`);
    const callee = this.#function(name);
    if (!callee) return undefined;
    const [current, effective] = [this.#current, this.#effective];
    this.#current = context;
    this.#effective = 0;
    let result: number | bigint | undefined;
    try {
      result = callee(...values);
    } catch (error) {
      this.trap = new GuestTrap(`${name}(${values.join(", ")}): ${error instanceof Error ? error.stack : error}`);
      throw this.trap;
    } finally {
      this.#current = current;
      this.#effective = effective;
    }
    const judged = judge(Number(result ?? 0) >>> 0);
    this.stopNextIteration = false;
    for (let action = this.#afterCall.shift(); action; action = this.#afterCall.shift()) action();
    return judged;
  }

  /** Guards a host function: some may not be called in some phases, and a guest that does fails. */
  guard<A extends unknown[], R>(name: string, body: (...values: A) => R): (...values: A) => R {
    return (...values) => {
      if (this.#allowed && !this.#allowed.has(name)) throw new Error(`${name} may not be called in this phase`);
      return body(...values);
    };
  }

  #function(name: string): GuestFunction | undefined {
    const exported = this.#exports[name];
    return typeof exported === "function" ? (exported as GuestFunction) : undefined;
  }

  #restricted<T>(allowed: Set<string>, body: () => T): T {
    const outer = this.#allowed;
    this.#allowed = allowed;
    try {
      return body();
    } finally {
      this.#allowed = outer;
    }
  }
}
