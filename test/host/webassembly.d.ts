/**
 * The part of the WebAssembly JavaScript interface that the fake host uses. The types of Node 20 leave it to the
 * library "dom", of which nothing else is wanted here.
 */
declare namespace WebAssembly {
  type ImportValue = Memory | ((...values: never[]) => unknown);
  type Exports = Record<string, unknown>;

  class Module {
    private constructor();
  }

  class Instance {
    private constructor();
    readonly exports: Exports;
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
  }

  class RuntimeError extends Error {}

  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports: Record<string, Record<string, ImportValue>>): Promise<Instance>;
}
