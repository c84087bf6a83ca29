// @ts-nocheck AssemblyScript: declarations of the module `wasi_snapshot_preview1`, named for this file.
export declare function clock_time_get(id: u32, precision: u64, to: usize): u32;
export declare function random_get(pointer: usize, size: usize): u32;
