/**
 * What is counted of a tenant's questions that a second upstream was asked too, in one cell of time.
 */
import { foldedName, presentLabels } from "../dns/names.ts";
import { rcodeName, typeName } from "../dns/numbers.ts";
import type { Comparison__Output } from "../gen/types/dns/mesh/v1/Comparison.ts";
import { LatencySketch } from "./latency-sketch.ts";
import type { Packer, Unpacker } from "./packing.ts";
import type { DifferingName, MirrorCounts } from "./questions.ts";
import { TopList } from "./top-list.ts";

/** Comparison.Result of sync.proto. */
const SAME = 0;
const DIFFERENT = 1;
const FAILED = 2;

class UpstreamMirror {
  readonly results = new Float64Array(3);
  readonly latency = new LatencySketch();

  merge(other: UpstreamMirror): void {
    for (const [result, count] of other.results.entries()) this.results[result] = (this.results[result] ?? 0) + count;
    this.latency.merge(other.latency);
  }

  pack(to: Packer): void {
    for (const count of this.results) to.number(count);
    this.latency.pack(to);
  }

  mergePacked(from: Unpacker): void {
    for (const [result, count] of this.results.entries()) this.results[result] = count + from.number();
    this.latency.mergePacked(from);
  }
}

export class MirrorTally {
  readonly #upstreams = new Map<string, UpstreamMirror>();
  /** Keys are what `DifferingName` says beside its counts, as a list. */
  readonly #differing: TopList;

  /** So many names. */
  constructor(capacity: number) {
    this.#differing = new TopList(capacity);
  }

  add({ upstream, qname, qtype, result, rcode, first_rcode, latency_us }: Comparison__Output): void {
    const tally = this.#of(upstream);
    tally.results[result] = (tally.results[result] ?? 0) + 1;
    if (result !== FAILED) tally.latency.add(latency_us);
    if (result !== DIFFERENT) return;
    const [first, second] = [first_rcode, rcode].map(rcodeName);
    const key = [upstream, presentLabels(foldedName(qname)), typeName(qtype), first, second];
    this.#differing.add(JSON.stringify(key), false);
  }

  merge(other: MirrorTally): void {
    for (const [upstream, tally] of other.#upstreams) this.#of(upstream).merge(tally);
    this.#differing.merge(other.#differing);
  }

  pack(to: Packer): void {
    to.number(this.#upstreams.size);
    for (const [upstream, tally] of this.#upstreams) {
      to.text(upstream);
      tally.pack(to);
    }
    this.#differing.pack(to);
  }

  mergePacked(from: Unpacker): void {
    for (let left = from.number(); left > 0; left--) this.#of(from.text()).mergePacked(from);
    this.#differing.mergePacked(from);
  }

  get upstreams(): MirrorCounts[] {
    return [...this.#upstreams].map(([upstream, { results, latency }]) => {
      const [same, different, failed] = [SAME, DIFFERENT, FAILED].map((result) => results[result] ?? 0);
      return { upstream, same: same ?? 0, different: different ?? 0, failed: failed ?? 0, ...latency.latency };
    });
  }

  differing(limit: number): DifferingName[] {
    return this.#differing.top(limit).map(([key, { count, over }]) => {
      const [upstream = "", name = "", type = "", first = "", second = ""] = JSON.parse(key) as string[];
      return { upstream, name, type, first, second, count, over };
    });
  }

  #of(upstream: string): UpstreamMirror {
    const known = this.#upstreams.get(upstream) ?? new UpstreamMirror();
    this.#upstreams.set(upstream, known);
    return known;
  }
}
