// The two WASI functions that the filter needs: the monotonic clock and random octets. proxy-wasm's own time is the
// wall clock, which jumps. asc imports them from the module named like this file; only host.ts calls them.

export declare function clock_time_get(clock: u32, precision: u64, time: usize): u32;
export declare function random_get(bytes: usize, length: usize): u32;
