/**
 * Events as a mesh of fifty tenants makes them: few names of many are asked for often, one query in ten is denied. The same in
 * every run.
 */
import type { QueryEvent } from "../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { batchOf } from "../../extproc/telemetry/events.ts";

export const BATCH = 500;
/** Of transports: DoT. */
const FIRST_ENCRYPTED = 2;

export class SampleEvents {
  /** Microseconds since 1970, of the next event. */
  time: number;
  readonly #stepMicroseconds: number;
  readonly #logged: "All" | "Denials" | "None";
  #seed = 1;

  constructor(options: { start: number; perSecond: number; logged: "All" | "Denials" | "None" }) {
    this.time = options.start * 1000;
    this.#stepMicroseconds = Math.round(1e6 / options.perSecond);
    this.#logged = options.logged;
  }

  /** An EventBatch. */
  batch(): Buffer {
    return batchOf(...this.events(BATCH));
  }

  events(count: number): QueryEvent[] {
    return Array.from({ length: count }, () => this.#event());
  }

  #event(): QueryEvent {
    this.time += this.#stepMicroseconds;
    const name = `host${this.#skewed(200_000)}.zone${this.#random(50)}.example.com`;
    const denied = this.#random(10) === 0;
    const tenant = this.#skewed(50);
    const client = Buffer.from([10, 0, this.#skewed(40), this.#random(250)]);
    const transport = this.#random(5);
    return {
      time_us: this.time,
      tenant: `tenant-${tenant}`,
      client,
      namespace: `tenant-${tenant}`,
      workload: `web-7d9f8b6c5-${client.toString("hex", 2)}`,
      principal: transport < FIRST_ENCRYPTED ? "" : `spiffe://cluster.local/ns/tenant-${tenant}/sa/web`,
      transport: transport as 0,
      qname: Buffer.concat([
        ...name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1")),
        Buffer.from([0]),
      ]),
      qtype: this.#random(3) === 0 ? 28 : 1,
      outcome: denied ? 1 : 0,
      policy: denied ? "no-ads" : "",
      rule: denied ? `rule-${this.#random(30)}` : "",
      rcode: denied ? 3 : 0,
      ede: denied ? 16 : 0,
      latency_us: this.#skewed(100_000),
      flags: denied ? 0x0580 : 0x0180,
      cache: denied ? 0 : ((1 + this.#random(2)) as 1),
      revision: 1_764_000_000_000,
      upstream: denied ? "" : "public",
      upstream_us: this.#skewed(100_000),
      answers: denied ? Buffer.alloc(0) : Buffer.from([4, 192, 0, 2, this.#random(250)]),
      logged: this.#logged === "All" || (this.#logged === "Denials" && denied),
    };
  }

  #random(below: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#seed / 2 ** 32) * below);
  }

  #skewed(below: number): number {
    return Math.floor(below * (this.#random(1e6) / 1e6) ** 4);
  }
}
