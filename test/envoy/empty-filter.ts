/**
 * A wasm module for tests of the configuration alone.
 */

/** The smallest module that Envoy takes for a filter: it says its version, and has memory that nobody asks for. */
export const emptyFilter = Buffer.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // Two types, () and (i32) -> i32; a function of each; one memory; the exports; the bodies.
  ...[1, 9, 2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f],
  ...[3, 3, 2, 0, 1],
  ...[5, 3, 1, 0, 1],
  ...exported(["proxy_abi_version_0_2_1", 0, 0], ["proxy_on_memory_allocate", 0, 1], ["memory", 2, 0]),
  ...[10, 9, 2, 2, 0, 0x0b, 4, 0, 0x41, 0, 0x0b],
]);

function exported(...entries: [name: string, kind: number, index: number][]): number[] {
  const body = entries.flatMap(([name, kind, index]) => [name.length, ...Buffer.from(name), kind, index]);
  return [7, body.length + 1, entries.length, ...body];
}
