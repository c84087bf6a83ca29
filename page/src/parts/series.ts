/**
 * What a tenant looks like in charts: a colour and a stroke, the same in all of them for as long as the page is open.
 */
export interface Look {
  /** Name of a custom property of the style sheet. */
  readonly colour: string;
  /** So that lines are told apart without their colours, too. */
  readonly dash: readonly number[];
}

const COLOURS = 6;
const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

/** Of clients that are no tenant's. */
const NOBODY: Look = { colour: "--soft", dash: [1, 3] };

const looks = new Map<string, Look>([["", NOBODY]]);

/** Tenants that are new take what is free in the order of their names. */
export function looksOf(tenants: readonly string[]): ReadonlyMap<string, Look> {
  for (const tenant of [...tenants].sort()) if (!looks.has(tenant)) looks.set(tenant, lookAt(looks.size - 1));
  return looks;
}

export function lookAt(place: number): Look {
  const dash = DASHES[(place + Math.floor(place / COLOURS)) % DASHES.length] ?? [];
  return { colour: `--series-${(place % COLOURS) + 1}`, dash };
}
