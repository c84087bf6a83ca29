/**
 * Time that goes on when the test says so; what is due is known.
 */
export class Tasks {
  readonly due: { readonly milliseconds: number; readonly task: () => void }[] = [];

  readonly after = (milliseconds: number, task: () => void) => {
    const one = { milliseconds, task };
    this.due.push(one);
    return () => this.#remove(one);
  };

  /** Runs the one task that is due after so long. */
  run(milliseconds: number): void {
    const one = this.due.find((due) => due.milliseconds === milliseconds);
    if (one === undefined) throw new Error(`expected a task after ${milliseconds} ms, got ${this.pauses}`);
    this.#remove(one);
    one.task();
  }

  get pauses(): number[] {
    return this.due.map(({ milliseconds }) => milliseconds);
  }

  #remove(one: Tasks["due"][number]): void {
    const index = this.due.indexOf(one);
    if (index >= 0) this.due.splice(index, 1);
  }
}
