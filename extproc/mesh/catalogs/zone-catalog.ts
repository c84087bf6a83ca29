/**
 * A zone of another name server as a source of names, of which this is a secondary. Without an answer of a primary the zone
 * is as it last was, until its SOA's expire is over.
 */
import type { MeshSourceReference } from "../../compiled/mesh-source-reference.ts";
import type { ZoneReference } from "../../compiled/zone-reference.ts";
import { type ZoneRequest, ZoneStore, type ZoneSuccess } from "../../transfer/zone-store.ts";
import { ZoneTiming } from "../../transfer/zone-timing.ts";
import { Catalog, type CatalogNames, type CatalogOptions } from "./catalog.ts";
import { MESH_FORM } from "./mesh-zone.ts";

/** How often it is looked whether the zone is due, or has expired. */
const LOOK_MS = 1000;
/** A service that starts anew must not tell of what was long ago. */
const COPY_MS = 2000;

export class ZoneCatalog extends Catalog {
  readonly first: Promise<void>;
  readonly #zone: ZoneReference;
  readonly #store: ZoneStore<CatalogNames>;
  readonly #timing: ZoneTiming;
  #serial: number | undefined;
  #isBusy = true;
  #closed = false;

  constructor(reference: MeshSourceReference, zone: ZoneReference, options: CatalogOptions) {
    super(reference, options);
    this.#zone = zone;
    const { directory, now } = options;
    this.#store = new ZoneStore({ directory, form: MESH_FORM, copyMs: COPY_MS, now });
    this.#timing = new ZoneTiming(zone, options.now);
    // Not at once: who makes it has to know it before it tells of names.
    this.first = Promise.resolve().then(() => this.#start());
    this.#lookLater();
  }

  protected get from(): string {
    return this.#timing.from;
  }

  protected override get serial(): number | undefined {
    return this.#serial;
  }

  /** Whether it is the zone of a NOTIFY from this address; then it is asked for at once. */
  notify(zone: string, address: string): boolean {
    const isOurs = this.#timing.notify(zone, address);
    if (isOurs) void this.#look();
    return isOurs;
  }

  close(): void {
    this.#closed = true;
    this.#store.writeDown(true);
  }

  get #request(): ZoneRequest {
    return { owner: this.reference.name, zone: this.#zone, serial: this.#serial };
  }

  /** What was here when the service ended is here at once; what is new since then is asked for at the first look. */
  async #start(): Promise<void> {
    const held = this.#store.restore(this.#request);
    if (held === undefined) await this.#refresh();
    else {
      this.#timing.held(held.soa, held.confirmed);
      if (!this.#timing.isExpired) this.#take(held);
    }
    this.#isBusy = false;
  }

  #lookLater(): void {
    this.options.after(LOOK_MS, () => {
      if (this.#closed) return;
      void this.#look();
      this.#lookLater();
    });
  }

  async #look(): Promise<void> {
    if (this.#isBusy || this.#closed) return;
    this.#isBusy = true;
    if (this.#timing.isDue) await this.#refresh();
    this.#store.writeDown();
    if (this.#timing.isExpired && this.#serial !== undefined) {
      this.#serial = undefined;
      this.lost("expected an answer of a primary before the zone expired, got none");
    }
    this.#isBusy = false;
  }

  async #refresh(): Promise<void> {
    this.#timing.asking();
    const outcome = await this.#store.refresh(this.#request);
    if (this.#closed) return;
    if (!outcome.ok) {
      this.#timing.failed();
      this.failed(outcome.error);
      return;
    }
    this.#timing.succeeded(outcome.soa, outcome.confirmed);
    this.#take(outcome);
  }

  #take({ soa, confirmed, content }: ZoneSuccess<CatalogNames>): void {
    this.#serial = soa.serial;
    this.took(content ?? this.names, confirmed);
  }
}
