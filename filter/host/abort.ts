// What the AssemblyScript runtime calls when it gives up (out of memory): a trap, and Envoy makes a new VM.

export function abort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}
