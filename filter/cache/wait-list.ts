// Queries that wait for the same thing: identical questions are asked once.

export abstract class Waiter {
  nextWaiter: Waiter | null = null;
}

@final
export class WaitList {
  private head: Waiter | null = null;
  private tail: Waiter | null = null;

  get isEmpty(): bool {
    return this.head === null;
  }

  /** Who waits longest. */
  get first(): Waiter | null {
    return this.head;
  }

  push(waiter: Waiter): void {
    waiter.nextWaiter = null;
    const tail = this.tail;
    if (tail !== null) tail.nextWaiter = waiter;
    else this.head = waiter;
    this.tail = waiter;
  }

  /** First in, first out; null where nobody waits. */
  shift(): Waiter | null {
    const head = this.head;
    if (head === null) return null;
    this.head = head.nextWaiter;
    if (this.head === null) this.tail = null;
    head.nextWaiter = null;
    return head;
  }

  /** Takes everybody; the list is empty then, and may be waited on again at once. */
  takeAll(into: WaitList): void {
    into.head = this.head;
    into.tail = this.tail;
    this.head = null;
    this.tail = null;
  }
}
