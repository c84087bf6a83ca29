/**
 * The policy service away: every name of the mesh that a worker was told of goes on answering, asked before or not; and
 * when the service is back, what has changed is answered soon, and nothing wrong in between.
 */
import { setTimeout as pause } from "node:timers/promises";
import { TimeoutError } from "../../e2e/clients/deadline.ts";
import { type Answer, describeAnswer, encodeQuestion } from "../../e2e/dns.ts";
import type { Stack } from "../../e2e/stack.ts";
import { Load } from "../load.ts";
import { type Proof, type Report, scaled } from "../proof.ts";
import { startMeshStack } from "./mesh-table.ts";

/** Ten minutes, for which verdicts hold, but for what it takes to start the service again. */
const SECONDS = 590;
const RATE = 2000;
/** Names that nobody asks for before the service is gone. */
const COLD = 500;
const BACK_MS = 2000;
/** Silence of 3 s is "down". */
const NOTICED_MS = 3500;
/**
 * Five: the load's 16 sockets each ask all of them, and so each worker has been asked in every scope of the rules, whose
 * verdict it needs for names that it was not asked for.
 */
const WARM = [
  "shop.web.svc.cluster.local",
  "db.data.svc.cluster.local",
  "vm.example",
  "api.partner.example",
  "legacy.partner.example",
];

export const outage: Proof = {
  name: "outage",
  what: "service killed: every name of the mesh is answered; back: what has changed is answered within 2 s",
  async run(scale, report) {
    const stack = await startMeshStack({ concurrency: 2 });
    try {
      await prove(stack, scaled(SECONDS * 1000, scale, 6000), scaled(COLD, scale, 50), report);
    } finally {
      await stack.stop();
    }
  },
};

async function prove(stack: Stack, awayMs: number, cold: number, report: Report): Promise<void> {
  const services = Array.from({ length: cold }, (_, index) => service(`cold-${index}`, index));
  await push(stack, services.join("---\n"));
  let [wrong, missing] = [0, 0];
  const load = await Load.start({
    server: stack.ask.at("udp"),
    from: stack.ask.from("frontend"),
    rate: RATE,
    names: WARM,
    onAnswer: (_name, rcode) => {
      if (rcode !== 0) missing++;
    },
  });
  let [away, changed, old] = [0, Number.POSITIVE_INFINITY, 0];
  const result = await load.during(async () => {
    // Both workers answer by then, and so have been told.
    await pause(2000);
    const end = Date.now() + awayMs;
    await stack.service.kill();
    const killed = Date.now();
    await pause(NOTICED_MS);
    for (let index = 0; index < cold || Date.now() < end; index++) {
      const number = index % cold;
      const answer = await ask(stack, `cold-${number}.web.svc.cluster.local`);
      if (answer.answers[0]?.data !== addressOf(number)) {
        wrong++;
        report.check(
          wrong > 3,
          `${(Date.now() - end + awayMs) / 1000} s away, cold-${number}: got ${describeAnswer(answer)}`,
        );
      }
      // What is not there, is not there.
      const none = await ask(stack, `none-${index}.web.svc.cluster.local`);
      if (none.rcode !== "NXDOMAIN") {
        wrong++;
        report.check(
          wrong > 3,
          `${(Date.now() - end + awayMs) / 1000} s away, none-${index}: got ${describeAnswer(none)}`,
        );
      }
      if (index >= cold) await pause(50);
    }
    await stack.service.restart();
    const restarted = Date.now();
    away = restarted - killed;
    await push(stack, service("cold-0", 200));
    const applied = Date.now();
    for (const deadline = Date.now() + 5 * BACK_MS; Date.now() < deadline; await pause(5)) {
      const answer = await ask(stack, "cold-0.web.svc.cluster.local");
      const data = answer.answers[0]?.data;
      if (data === addressOf(200)) {
        changed = Math.min(changed, Date.now() - restarted);
        if (Date.now() - restarted > BACK_MS) break;
      } else if (data === addressOf(0)) old = Date.now() - applied;
      else wrong++;
    }
  });
  report.figure("seconds away", away / 1000);
  report.figure("queries of names of the mesh", result.sent);
  report.atMost("not answered, or failed", result.sent - result.answered + result.failed, 0);
  report.atMost("names that were not there any more", missing, 0);
  report.atMost("wrong answers", wrong, 0);
  report.inTime("ms after that was accepted, in which some worker answered as before", old, BACK_MS);
  report.inTime("ms from the service's return to an answer by what was pushed then", changed, BACK_MS);
}

/** As a stub resolver does it: a datagram that was lost is sent again, from another port. */
async function ask(stack: Stack, name: string): Promise<Answer> {
  try {
    return await stack.ask.udp(encodeQuestion(name), "frontend", 2000);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    return stack.ask.udp(encodeQuestion(name), "frontend");
  }
}

function addressOf(number: number): string {
  return `10.97.${Math.floor(number / 250)}.${(number % 250) + 1}`;
}

function service(name: string, number: number): string {
  return `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: web }\nspec: { clusterIP: ${addressOf(number)} }\n`;
}

/** Beside what is there. */
async function push(stack: Stack, text: string): Promise<void> {
  const headers = { "content-type": "application/yaml" };
  const { status, body } = await stack.service.request("PUT", "/v1/resources", text, headers);
  if (status !== 200) throw new Error(`the policy service answered ${status}: ${body}`);
}
