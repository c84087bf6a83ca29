// The answer cache, with a part of its own for each tenant that has a share of it: such a tenant fills its part and no
// more, and nobody else fills that.

import { NameKey } from "../wire/name";
import { Answer } from "./answer";
import { AnswerCache } from "./answer-cache";

/** In percent: what is left is for all others. */
const MAX_SHARES: u32 = 80;
/** Views beyond these are kept with all others'. */
const MAX_VIEWS: i32 = 10_000;

class Part {
  constructor(
    readonly share: u32,
    readonly cache: AnswerCache,
  ) {}
}

@final
export class AnswerStores {
  private readonly shared: AnswerCache;
  private readonly parts: Map<u32, Part> = new Map<u32, Part>();
  private readonly byView: Map<u64, AnswerCache> = new Map<u64, AnswerCache>();

  constructor(private readonly budget: u32) {
    this.shared = new AnswerCache(budget);
  }

  find(view: u64, key: NameKey, selector: u32): Answer | null {
    return this.of(view).find(view, key, selector);
  }

  put(view: u64, key: NameKey, selector: u32, answer: Answer): void {
    this.of(view).put(view, key, selector, answer);
  }

  /** Whether any tenant has a share. */
  get divided(): bool {
    return this.parts.size != 0;
  }

  private of(view: u64): AnswerCache {
    return this.byView.size == 0 || !this.byView.has(view) ? this.shared : this.byView.get(view);
  }

  /** Answers in this view are of a tenant with this share of the cache, in percent; 0 is none. */
  own(tenant: u32, share: u32, view: u64): void {
    const known = this.parts.has(tenant) ? this.parts.get(tenant) : null;
    if (known !== null && known.share != share) this.giveUp(tenant, known);
    if (share == 0 || share > MAX_SHARES) return;
    if (!this.parts.has(tenant)) this.divide(tenant, share);
    if (this.byView.size < MAX_VIEWS) this.byView.set(view, this.parts.get(tenant).cache);
  }

  private divide(tenant: u32, share: u32): void {
    // Tenants that are no more have never said so.
    if (this.shares() + share > MAX_SHARES) {
      const tenants = this.parts.keys();
      for (let i = 0; i < tenants.length; i++) this.giveUp(tenants[i], this.parts.get(tenants[i]));
    }
    this.parts.set(tenant, new Part(share, new AnswerCache(this.sizeOf(share))));
    this.shared.resize(this.sizeOf(100 - this.shares()));
  }

  private giveUp(tenant: u32, part: Part): void {
    const views = this.byView.keys();
    for (let i = 0; i < views.length; i++) {
      if (this.byView.get(views[i]) === part.cache) this.byView.delete(views[i]);
    }
    part.cache.clear();
    this.parts.delete(tenant);
    this.shared.resize(this.sizeOf(100 - this.shares()));
  }

  private shares(): u32 {
    let sum: u32 = 0;
    const parts = this.parts.values();
    for (let i = 0; i < parts.length; i++) sum += parts[i].share;
    return sum;
  }

  private sizeOf(share: u32): u32 {
    return (this.budget / 100) * share;
  }
}
