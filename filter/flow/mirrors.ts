// Questions that go to a second upstream beside the first, by rules that say so: within bounds, without anybody waiting, and
// with no other effect than that what both have said is told.

import { Answer } from "../answer/answer";
import { Sync } from "../sync/sync";
import { Events } from "../telemetry/events";
import { Exchange } from "../upstream/exchange";
import { Exchanges } from "../upstream/exchanges";
import { Mirrored } from "../upstream/mirrored";
import { Upstream } from "../upstream/server";

/** Under way in a worker; what is beyond is not asked, and counted. */
const MAX_UNDER_WAY: u32 = 256;

@final
export class Mirrors {
  private underWay: u32 = 0;

  constructor(
    private readonly exchanges: Exchanges,
    private readonly events: Events,
    private readonly sync: Sync,
  ) {}

  /** An exchange that asks `upstream` what `first`, which was not sent yet, asks; to be started after it. Null where too many are. */
  beside(first: Exchange, upstream: Upstream, tenant: u32, now: u64): Exchange | null {
    if (this.underWay == MAX_UNDER_WAY) {
      this.events.droppedMirrors++;
      return null;
    }
    this.underWay++;
    const time = now + this.events.wallOffset;
    const mirrored = new Mirrored(first.key, first.asked.type, tenant, upstream, now, time, this.sync.sequence);
    return this.exchanges.mirror(first, upstream, mirrored);
  }

  ended(exchange: Exchange, answer: Answer | null, now: u64): void {
    const mirrored = exchange.mirrored;
    if (mirrored === null) return;
    if (exchange.isMirror) this.underWay--;
    if (!mirrored.end(answer, exchange.isMirror, now)) return;
    this.events.add(mirrored);
    mirrored.clear();
    if (this.events.hasFull || this.events.prompt) this.sync.sendEvents(now);
  }
}
