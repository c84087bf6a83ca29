/** The last two cells of a row: whose it is, and how often. */
import { nameTenant } from "../text/words.ts";
import { Frequency } from "./frequency.tsx";

export interface WhoAndTimesProps {
  readonly tenant: string;
  readonly count: number;
  readonly over: number;
  /** It is nothing that anybody wants. */
  readonly bad?: boolean;
}

export function WhoAndTimes({ tenant, count, over, bad = false }: WhoAndTimesProps) {
  return (
    <>
      <td>
        <bdi>{nameTenant(tenant)}</bdi>
      </td>
      <td class={bad ? "number bad" : "number"}>
        <Frequency count={count} over={over} />
      </td>
    </>
  );
}
