/**
 * Push: the policy flips under load, and no query sent after `apply` returned is answered by the old one.
 */
import { Stack, type StackOptions } from "../e2e/stack.ts";
import { Load } from "./load.ts";
import { anyZone, denyFrontend, tenants } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const FLIPS = 1000;
const RATE = 5000;
/** How much later than the push an old answer, asked for before it, may come. */
const GRACE_MS = 50;
/** A query that two flips overtook is a SERVFAIL by design; at one flip in tens of milliseconds a few are. */
const FAILED = 0.01;

/** A policy that is in force: from when `apply` was called, and from when it had returned. */
interface Flip {
  denied: boolean;
  calledAt: number;
  returnedAt: number;
}

export const push: Proof = {
  name: "push",
  what: "flips under 5,000 queries/s: nothing sent after apply returned is answered by the old policy",
  async run(scale, report) {
    const upstreams: StackOptions["upstreams"] = { public: { zone: anyZone } };
    const stack = await Stack.start({ policy: tenants, upstreams, concurrency: 2 });
    const texts = {
      allow: stack.policy({ policy: tenants, upstreams }),
      deny: stack.policy({ policy: `${tenants}\n---\n${denyFrontend("*.org")}`, upstreams }),
    };
    try {
      await flip(stack, texts, scaled(FLIPS, scale, 20), report);
    } finally {
      await stack.stop();
    }
  },
};

async function flip(
  stack: Stack,
  texts: { allow: string; deny: string },
  count: number,
  report: Report,
): Promise<void> {
  const flips: Flip[] = [{ denied: false, calledAt: 0, returnedAt: 0 }];
  const answers: { denied: boolean; sentAt: number; cameAt: number }[] = [];
  const failures = new Map<number, number>();
  const load = await Load.start({
    server: stack.ask.at("udp"),
    from: stack.ask.from("frontend"),
    rate: RATE,
    names: Array.from({ length: 50 }, (_, index) => `n${index}.push.org`),
    onAnswer: (_name, rcode, sentAt, cameAt) => {
      if (rcode === 0 || rcode === 3) answers.push({ denied: rcode === 3, sentAt, cameAt });
      else failures.set(rcode, (failures.get(rcode) ?? 0) + 1);
    },
  });
  const took: number[] = [];
  for (let number = 0; number < count; number++) {
    const denied = number % 2 === 0;
    const calledAt = performance.now();
    await stack.apply(denied ? texts.deny : texts.allow);
    const returnedAt = performance.now();
    flips.push({ denied, calledAt, returnedAt });
    took.push(returnedAt - calledAt);
  }
  const result = await load.stop();
  took.sort((a, b) => a - b);
  report.figure("flips", count);
  report.figure("queries", result.sent);
  report.figure("apply, median ms", took[Math.floor(took.length / 2)] ?? 0);
  report.figure("apply, longest ms", took.at(-1) ?? 0);
  report.atLeast("answered, share", result.share, 0.999);
  const servfail = failures.get(2) ?? 0;
  const others = [...failures.values()].reduce((sum, count) => sum + count, -servfail);
  report.atMost("SERVFAIL", servfail, Math.ceil(result.sent * FAILED));
  report.atMost("other failures", others, 0);
  report.atMost("queries sent after apply and answered by the old policy", countOld(flips, answers), 0);
  report.atMost(`old answers later than ${GRACE_MS} ms after apply`, countLate(flips, answers), 0);
}

/** The flip that was the last to have returned at a moment. */
function lastReturned(flips: Flip[], at: number): number {
  let [low, high] = [0, flips.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((flips[middle]?.returnedAt ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Between a flip's return and the next one's call only that flip's policy may speak. */
function countOld(flips: Flip[], answers: { denied: boolean; sentAt: number; cameAt: number }[]): number {
  let old = 0;
  for (const { denied, sentAt, cameAt } of answers) {
    const current = flips[lastReturned(flips, sentAt)];
    const next = flips[lastReturned(flips, sentAt) + 1];
    const undisturbed = !next || cameAt < next.calledAt;
    if (current && undisturbed && current.denied !== denied) old++;
  }
  return old;
}

/** An answer that was asked for before a flip, came later than the grace after it, and does not say what it says. */
function countLate(flips: Flip[], answers: { denied: boolean; sentAt: number; cameAt: number }[]): number {
  let late = 0;
  for (const { denied, cameAt } of answers) {
    const index = lastReturned(flips, cameAt - GRACE_MS);
    const [current, next] = [flips[index], flips[index + 1]];
    const undisturbed = !next || cameAt < next.calledAt;
    if (current && undisturbed && current.denied !== denied) late++;
  }
  return late;
}
