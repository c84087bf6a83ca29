/**
 * Whether endpoints that nobody else looks after are well: each that is asked about is looked at again and again, for as
 * long as somebody asks. One is well until it was found ill several times, so that a service that starts takes none away.
 */
import type { HealthCheckSettings } from "../../compiled/snapshot.ts";

export interface HealthCheckOptions {
  readonly after: (milliseconds: number, task: () => void) => void;
  readonly probe: (check: string, address: string, timeoutMs: number) => Promise<boolean>;
  readonly onProblem: (fields: object, message: string) => void;
}

export interface HealthStatus {
  readonly checked: number;
  readonly ill: number;
  /** The first ill ones. */
  readonly illEndpoints: readonly IllEndpoint[];
}

export const NO_HEALTH: HealthStatus = { checked: 0, ill: 0, illEndpoints: [] };

export interface IllEndpoint {
  /** As tcp://:8080. */
  readonly check: string;
  readonly address: string;
  /** Whose endpoint it is, as ServiceEntry/NAMESPACE/NAME. */
  readonly owners: readonly string[];
}

/** Looks at once. */
const MAX_UNDER_WAY = 64;
/** What is beyond is taken for well. */
const MAX_TARGETS = 10_000;
/** Nobody reads more. */
const MAX_TOLD = 20;

interface Target {
  readonly check: string;
  readonly address: string;
  readonly owners: Set<string>;
  isIll: boolean;
  /** Looks in a row that say otherwise. */
  contrary: number;
}

export class HealthChecks {
  readonly #options: HealthCheckOptions;
  #settings: HealthCheckSettings | undefined;
  readonly #targets = new Map<string, Target>();
  /** What each asks about. */
  readonly #asked = new Map<string, ReadonlySet<string>>();
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];
  #isFull = false;
  #listener: (owners: ReadonlySet<string>) => void = () => {};

  constructor(options: HealthCheckOptions) {
    this.#options = options;
  }

  /** Called with those of whom what they have asked about is other than it was. */
  listen(listener: (owners: ReadonlySet<string>) => void): void {
    this.#listener = listener;
  }

  /** Undefined: nobody is looked at, and all are well. */
  configure(settings: HealthCheckSettings | undefined): void {
    const wasOff = this.#settings === undefined;
    this.#settings = settings;
    if (settings === undefined) this.#forget();
    else if (wasOff) for (const target of this.#targets.values()) this.#lookLater(target, Math.random());
  }

  isIll(check: string, address: string): boolean {
    return this.#targets.get(keyOf(check, address))?.isIll ?? false;
  }

  /** All that the owner asks about: pairs of a check and an address. */
  follow(owner: string, asked: readonly (readonly [check: string, address: string])[]): void {
    const before = this.#asked.get(owner);
    if (before === undefined && asked.length === 0) return;
    const keys = new Set(asked.map((pair) => keyOf(...pair)));
    for (const [check, address] of asked) this.#add(check, address, owner);
    for (const key of before ?? []) if (!keys.has(key)) this.#remove(key, owner);
    if (keys.size > 0) this.#asked.set(owner, keys);
    else this.#asked.delete(owner);
  }

  status(): HealthStatus {
    const ill = [...this.#targets.values()].filter(({ isIll }) => isIll);
    return {
      checked: this.#settings === undefined ? 0 : this.#targets.size,
      ill: ill.length,
      illEndpoints: ill
        .slice(0, MAX_TOLD)
        .map(({ check, address, owners }) => ({ check, address, owners: [...owners].sort() })),
    };
  }

  close(): void {
    this.#settings = undefined;
    this.#targets.clear();
  }

  #add(check: string, address: string, owner: string): void {
    const key = keyOf(check, address);
    const known = this.#targets.get(key);
    if (known !== undefined) {
      known.owners.add(owner);
      return;
    }
    if (this.#targets.size >= MAX_TARGETS) {
      if (!this.#isFull) this.#options.onProblem({ most: MAX_TARGETS }, "there are too many endpoints to look at");
      this.#isFull = true;
      return;
    }
    const target: Target = { check, address, owners: new Set([owner]), isIll: false, contrary: 0 };
    this.#targets.set(key, target);
    if (this.#settings !== undefined) this.#lookLater(target, 0);
  }

  #remove(key: string, owner: string): void {
    const target = this.#targets.get(key);
    target?.owners.delete(owner);
    if (target?.owners.size === 0) this.#targets.delete(key);
  }

  #forget(): void {
    const owners = new Set<string>();
    for (const target of this.#targets.values()) {
      if (target.isIll) for (const owner of target.owners) owners.add(owner);
      target.isIll = false;
      target.contrary = 0;
    }
    if (owners.size > 0) this.#listener(owners);
  }

  #lookLater(target: Target, intervals: number): void {
    this.#options.after((this.#settings?.intervalMs ?? 0) * intervals, () => void this.#look(target));
  }

  async #look(target: Target): Promise<void> {
    const isWanted = () =>
      this.#settings !== undefined && this.#targets.get(keyOf(target.check, target.address)) === target;
    if (!isWanted()) return;
    if (this.#underWay >= MAX_UNDER_WAY) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#underWay++;
    const { timeoutMs = 0 } = this.#settings ?? {};
    const isWell = await this.#options.probe(target.check, target.address, timeoutMs);
    this.#underWay--;
    this.#waiting.shift()?.();
    if (!isWanted()) return;
    this.#judge(target, isWell);
    // Not all in one moment.
    this.#lookLater(target, 0.9 + Math.random() * 0.2);
  }

  #judge(target: Target, isWell: boolean): void {
    const { healthyAfter = 1, unhealthyAfter = 1 } = this.#settings ?? {};
    target.contrary = isWell === target.isIll ? target.contrary + 1 : 0;
    if (target.contrary < (isWell ? healthyAfter : unhealthyAfter)) return;
    target.contrary = 0;
    target.isIll = !isWell;
    const { check, address, isIll } = target;
    this.#options.onProblem({ check, address }, isIll ? "an endpoint is ill" : "an endpoint is well again");
    this.#listener(target.owners);
  }
}

function keyOf(check: string, address: string): string {
  return `${check} ${address}`;
}
