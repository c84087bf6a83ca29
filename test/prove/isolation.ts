/**
 * Isolation: a name denied to one tenant and allowed to another, asked by both at once in every order.
 */
import { type Answer, encodeQuestion } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import { anyZone, policy } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const NAMES = 10_000;
const AT_ONCE = 25;

type Ask = (question: Buffer) => Promise<Answer>;

export const isolation: Proof = {
  name: "isolation",
  what: "a name denied to one tenant and allowed to another, asked by both at once in every order: no leak",
  async run(scale, report) {
    const stack = await Stack.start({ policy, upstreams: { public: { zone: anyZone } }, concurrency: 2 });
    try {
      await ask(stack, scaled(NAMES, scale, 200), report);
      await neverLeaves(stack, scaled(NAMES / 10, scale, 50), report);
    } finally {
      await stack.stop();
    }
  },
};

/** Orders: the one, the other, the one again while the answer is kept; each over UDP and TCP. */
async function ask(stack: Stack, names: number, report: Report): Promise<void> {
  const [frontTcp, backTcp] = [await stack.ask.tcp("frontend"), await stack.ask.tcp("backend")];
  const front: Ask[] = [(question) => stack.ask.udp(question, "frontend"), (question) => frontTcp.ask(question)];
  const back: Ask[] = [(question) => stack.ask.udp(question, "backend"), (question) => backTcp.ask(question)];
  const orders: ((denied: Ask, allowed: Ask, question: () => Buffer) => Promise<[Answer[], Answer[]]>)[] = [
    async (denied, allowed, question) => {
      const [a, b] = await Promise.all([denied(question()), allowed(question())]);
      return [[a], [b]];
    },
    async (denied, allowed, question) => {
      const [b, a] = await Promise.all([allowed(question()), denied(question())]);
      return [[a], [b]];
    },
    async (denied, allowed, question) => {
      const b = await allowed(question());
      return [[await denied(question())], [b]];
    },
    async (denied, allowed, question) => {
      const first = await denied(question());
      const b = await allowed(question());
      return [[first, await denied(question())], [b]];
    },
  ];
  let leaks = 0;
  let wronglyDenied = 0;
  const one = async (number: number): Promise<void> => {
    const question = () => encodeQuestion(`n${number}.isolated.com`);
    const order = orders[number % orders.length] as (typeof orders)[number];
    const way = Math.floor(number / orders.length);
    const [denied, allowed] = await order(front[way % 2] as Ask, back[(way >> 1) % 2] as Ask, question);
    for (const answer of denied) if (answer.rcode !== "NXDOMAIN" || answer.answers.length > 0) leaks++;
    for (const answer of allowed) if (answer.rcode !== "NOERROR" || answer.answers.length !== 1) wronglyDenied++;
  };
  for (let number = 0; number < names; number += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, names - number) }, (_, index) => one(number + index)));
  frontTcp.close();
  backTcp.close();
  report.figure("names", names);
  report.atMost("answers to the tenant that is denied", leaks, 0);
  report.atMost("denials to the tenant that is allowed", wronglyDenied, 0);
}

/** What only the denied tenant asks is never asked upstream. */
async function neverLeaves(stack: Stack, names: number, report: Report): Promise<void> {
  stack.upstream().reset();
  for (let number = 0; number < names; number++)
    await stack.ask.udp(encodeQuestion(`n${number}.private.com`), "frontend");
  const left = stack.upstream().asked.filter(({ name }) => name.endsWith(".private.com"));
  report.atMost("denied names that reached the upstream", left.length, 0);
}
