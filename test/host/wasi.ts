/**
 * The functions of module `wasi_snapshot_preview1` that Envoy offers and a filter may use: clocks and random octets.
 */
import type { HostState } from "./host.ts";

/** Errors of WASI. */
const SUCCESS = 0;
const FAULT = 21;
const INVALID = 28;
const NOT_SUPPORTED = 58;

/** Envoy gives at most this many random octets at once. */
const MAX_RANDOM_BYTES = 64 * 1024;

export function wasiImports({ vm, clock, random }: HostState): Record<string, WebAssembly.ImportValue> {
  return {
    clock_time_get: vm.guard("clock_time_get", (id: number, _precision: bigint, timeTo: number) => {
      if (id !== 0 && id !== 1) return NOT_SUPPORTED;
      const time = id === 0 ? clock.wallNanoseconds : clock.monotonicNanoseconds;
      return vm.memory.writeU64(timeTo >>> 0, time) ? SUCCESS : FAULT;
    }),
    random_get: vm.guard("random_get", (pointer: number, size: number) => {
      if (size >>> 0 > MAX_RANDOM_BYTES) return INVALID;
      return vm.memory.write(pointer >>> 0, random.bytes(size >>> 0)) ? SUCCESS : FAULT;
    }),
  };
}
