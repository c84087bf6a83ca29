/**
 * The records of one transfer in their order: a whole zone (RFC 5936), what has changed (RFC 1995, section 4), or word
 * that nothing has.
 */
import { type Soa, type TransferRecord, TYPE_SOA } from "./transfer-message.ts";

export interface ZoneSink {
  /** The zone comes whole: what was there is not there any more. */
  clear(): void;
  add(record: TransferRecord): void;
  remove(record: TransferRecord): void;
}

export class ZoneTransfer {
  readonly #sink: ZoneSink;
  readonly #serial: number | undefined;
  #state: "first" | "second" | "whole" | "removing" | "adding" | "done" = "first";
  #soa: Soa | undefined;
  /** Of the change that is being told. */
  #step = 0;

  /** `serial`: what is here, where changes were asked for. */
  constructor(sink: ZoneSink, serial: number | undefined) {
    this.#sink = sink;
    this.#serial = serial;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** Of the zone as it is then. */
  get soa(): Soa {
    if (this.#soa === undefined) throw new Error("expected a SOA, got no record");
    return this.#soa;
  }

  /** Whether the zone is another one than that with the serial. */
  get changed(): boolean {
    return this.soa.serial !== this.#serial;
  }

  take(record: TransferRecord): void {
    const { soa } = record;
    switch (this.#state) {
      case "first":
        if (soa === undefined) throw new Error(`expected a SOA as the first record, got type ${record.type}`);
        this.#soa = soa;
        this.#state = "second";
        if (this.#serial !== undefined) this.#compare(this.#serial, soa.serial);
        return;
      case "second":
        if (soa !== undefined && this.#serial !== undefined && soa.serial === this.#serial) {
          this.#state = "removing";
          return;
        }
        this.#sink.clear();
        this.#state = "whole";
        this.take(record);
        return;
      case "whole":
        if (record.type === TYPE_SOA) this.#state = "done";
        else this.#sink.add(record);
        return;
      case "removing":
        if (soa === undefined) this.#sink.remove(record);
        else {
          this.#step = soa.serial;
          this.#state = "adding";
        }
        return;
      case "adding":
        if (soa === undefined) this.#sink.add(record);
        else if (this.#step === this.soa.serial) this.#state = "done";
        else if (soa.serial === this.#step) this.#state = "removing";
        else throw new Error(`expected changes from serial ${this.#step}, got them from ${soa.serial}`);
        return;
      default:
        throw new Error("expected the end of the transfer, got a record after it");
    }
  }

  /** One SOA alone says that there is nothing newer (RFC 1995, section 4); serials wrap (RFC 1982). */
  #compare(here: number, there: number): void {
    if (here === there) this.#state = "done";
    else if ((there - here) >>> 0 >= 0x80000000) {
      throw new Error(`expected serial ${here} or a newer one, got ${there}, which is older`);
    }
  }
}
