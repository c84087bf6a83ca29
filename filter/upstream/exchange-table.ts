// The exchanges that are under way, by question, by HTTP call and by time.

import { answerHash } from "../answer/answer-cache";
import { NameKey } from "../wire/name";
import { Exchange } from "./exchange";

const BUCKETS: u32 = 4096;

@final
export class ExchangeTable {
  /** Questions. */
  count: u32 = 0;
  /** Whose `tryEnds` is next. */
  earliest: Exchange | null = null;
  private latest: Exchange | null = null;
  private readonly byQuestion: StaticArray<Exchange | null> = new StaticArray<Exchange | null>(BUCKETS);
  private readonly byToken: StaticArray<Exchange | null> = new StaticArray<Exchange | null>(BUCKETS);

  /** The exchange under way that will answer this question too, or null. */
  find(view: u64, key: NameKey, selector: u32): Exchange | null {
    const hash = answerHash(view, key, selector);
    let exchange = unchecked(this.byQuestion[<u32>hash & (BUCKETS - 1)]);
    while (exchange !== null) {
      if (
        exchange.hash == hash &&
        exchange.view == view &&
        exchange.selector == selector &&
        exchange.ecsLength == 0 &&
        exchange.key.equals(key.at, key.length)
      ) {
        return exchange;
      }
      exchange = exchange.next;
    }
    return null;
  }

  /** Adds an exchange that other clients with its question may join. */
  add(exchange: Exchange): void {
    exchange.hash = answerHash(exchange.view, exchange.key, exchange.selector);
    const bucket = <u32>exchange.hash & (BUCKETS - 1);
    exchange.next = unchecked(this.byQuestion[bucket]);
    unchecked((this.byQuestion[bucket] = exchange));
    this.count++;
  }

  remove(exchange: Exchange): void {
    this.count--;
    const bucket = <u32>exchange.hash & (BUCKETS - 1);
    let before: Exchange | null = null;
    let at = unchecked(this.byQuestion[bucket]);
    while (at !== null && at !== exchange) {
      before = at;
      at = at.next;
    }
    if (before !== null) before.next = exchange.next;
    else unchecked((this.byQuestion[bucket] = exchange.next));
    exchange.next = null;
  }

  addToken(exchange: Exchange, token: u32): void {
    exchange.token = token;
    exchange.nextByToken = unchecked(this.byToken[token & (BUCKETS - 1)]);
    unchecked((this.byToken[token & (BUCKETS - 1)] = exchange));
  }

  /** Takes the exchange out that waits for this HTTP call; null where none does. */
  takeToken(token: u32): Exchange | null {
    const bucket = token & (BUCKETS - 1);
    let before: Exchange | null = null;
    let exchange = unchecked(this.byToken[bucket]);
    while (exchange !== null && exchange.token != token) {
      before = exchange;
      exchange = exchange.nextByToken;
    }
    if (exchange === null) return null;
    if (before !== null) before.nextByToken = exchange.nextByToken;
    else unchecked((this.byToken[bucket] = exchange.nextByToken));
    exchange.nextByToken = null;
    exchange.token = 0;
    return exchange;
  }

  /** The exchange waits for its server until `tryEnds`, which is later than that of all others. */
  schedule(exchange: Exchange): void {
    exchange.timed = true;
    const server = exchange.server;
    if (server !== null) server.underWay++;
    exchange.later = null;
    exchange.earlier = this.latest;
    const latest = this.latest;
    if (latest !== null) latest.later = exchange;
    else this.earliest = exchange;
    this.latest = exchange;
  }

  unschedule(exchange: Exchange): void {
    if (!exchange.timed) return;
    exchange.timed = false;
    const server = exchange.server;
    if (server !== null) server.underWay--;
    const earlier = exchange.earlier;
    const later = exchange.later;
    if (earlier !== null) earlier.later = later;
    else this.earliest = later;
    if (later !== null) later.earlier = earlier;
    else this.latest = earlier;
    exchange.earlier = null;
    exchange.later = null;
  }
}
