/**
 * What is counted of connections in one cell of time.
 */
import { formatEndpoint } from "../endpoint.ts";
import type { ConnectionEvent, ConnectionOutcome } from "./connection-event.ts";
import { LatencySketch } from "./latency-sketch.ts";
import type { Packer, Unpacker } from "./packing.ts";
import type { ConnectionCounts, Connections, Latency, TopItem } from "./questions.ts";
import { TopList } from "./top-list.ts";

export class ConnectionTally {
  readonly #counts: Record<ConnectionOutcome, number> = {
    allowed: 0,
    refused: 0,
    would_refuse: 0,
    connected: 0,
    failed: 0,
  };
  readonly #connecting = new LatencySketch();
  /** Keys are a name, in which there is no blank, and where it led. */
  readonly #unreachable: TopList;
  readonly #refused: TopList;

  /** So many keys a list. */
  constructor(capacity: number) {
    this.#unreachable = new TopList(capacity);
    this.#refused = new TopList(capacity);
  }

  /** `hidden`: neither name nor address is to be known. */
  add({ outcome, name = "", address, port, connectUs }: ConnectionEvent, hidden: boolean): void {
    this.#counts[outcome]++;
    if (connectUs !== undefined) this.#connecting.add(connectUs);
    if (hidden) return;
    const place = formatEndpoint({ kind: "tcp", host: address, port });
    if (outcome === "failed") this.#unreachable.add(`${name} ${place}`, false);
    if (outcome === "refused" || outcome === "would_refuse") this.#refused.add(place, false);
  }

  merge(other: ConnectionTally): void {
    for (const outcome of Object.keys(this.#counts) as ConnectionOutcome[]) {
      this.#counts[outcome] += other.#counts[outcome];
    }
    this.#connecting.merge(other.#connecting);
    this.#unreachable.merge(other.#unreachable);
    this.#refused.merge(other.#refused);
  }

  pack(to: Packer): void {
    for (const count of Object.values(this.#counts)) to.number(count);
    for (const part of this.#parts) part.pack(to);
  }

  mergePacked(from: Unpacker): void {
    for (const outcome of Object.keys(this.#counts) as ConnectionOutcome[]) this.#counts[outcome] += from.number();
    for (const part of this.#parts) part.mergePacked(from);
  }

  get counts(): ConnectionCounts {
    const { allowed, refused, would_refuse: wouldRefuse, connected, failed } = this.#counts;
    return { allowed, refused, wouldRefuse, connected, failed };
  }
  /** Of checks and of what came of them. */
  get total(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }

  get connectMs(): { readonly connectMs?: Latency } {
    const { latencyMs } = this.#connecting.latency;
    return latencyMs === undefined ? {} : { connectMs: latencyMs };
  }

  get #parts() {
    return [this.#connecting, this.#unreachable, this.#refused];
  }

  unreachable(limit: number): Omit<Connections["unreachable"][number], "tenant">[] {
    return this.#unreachable.top(limit).map(([key, { count, over }]) => {
      const [name = "", address = ""] = key.split(" ");
      return { name, address, count, over };
    });
  }

  refused(limit: number): TopItem[] {
    return this.#refused.top(limit).map(([key, { count, over }]) => ({ key, count, over }));
  }
}
