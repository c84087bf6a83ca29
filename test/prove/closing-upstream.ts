/**
 * A closing upstream: one that ends its connections as servers do, after so many answers and after a rest. Whoever was
 * on the way then is asked again, and no client hears of it (RFC 7766, section 6.2.4).
 */
import { within } from "../e2e/clients/deadline.ts";
import { UdpClient } from "../e2e/clients/udp.ts";
import { encodeQuestion } from "../e2e/dns.ts";
import { Stack } from "../e2e/stack.ts";
import { anyZone, tenants } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const QUERIES = 100_000;
const ANSWERS = 100;
const IDLE_MS = 2000;
/** More than a connection answers, so that each close finds some on the way. */
const AT_ONCE = 250;
/** A UDP session takes no more than 64 queries before it is open, which is not what this is about. */
const SOCKETS = 16;
const RESTS = 25;
const PATIENCE_MS = 6000;

export const closingUpstream: Proof = {
  name: "closing-upstream",
  what: "a DoT upstream that closes after every 100 answers and after 2 s of rest: every query is answered",
  async run(scale, report) {
    const stack = await Stack.start({ policy: tenants, upstreams: { public: { zone: anyZone } } });
    const clients: UdpClient[] = [];
    try {
      for (let index = 0; index < SOCKETS; index++)
        clients.push(await UdpClient.open(stack.ask.at("udp"), stack.ask.from("frontend")));
      await askAll(stack, clients, scaled(QUERIES, scale, 1000), scaled(RESTS, scale, 2), report);
      report.atMost("VM reloads", await stack.reloads(), 0);
    } finally {
      for (const client of clients) client.close();
      await stack.stop();
    }
  },
};

async function askAll(stack: Stack, clients: UdpClient[], count: number, rests: number, report: Report): Promise<void> {
  const upstream = stack.upstream();
  upstream.record = false;
  upstream.script = (asked) => ({ ...upstream.truth(asked), close: asked.numberOnConnection === ANSWERS });
  upstream.idleMs = IDLE_MS;
  // The connection of before was accepted without these.
  upstream.dropConnections();
  const connections = upstream.connections;
  let [sent, longest] = [0, 0];
  const failures = new Map<string, number>();
  const ask = async () => {
    const started = performance.now();
    const question = encodeQuestion(`n${++sent}.closing.org`, { id: sent & 0xffff });
    const answer = clients[sent % clients.length]?.ask(question, PATIENCE_MS);
    const rcode = (await answer?.catch(() => undefined))?.rcode ?? "no answer";
    longest = Math.max(longest, performance.now() - started);
    if (rcode !== "NOERROR") failures.set(rcode, (failures.get(rcode) ?? 0) + 1);
  };
  for (let round = 1; round <= rests; round++) {
    while (sent < (count * round) / rests) await Promise.all(Array.from({ length: AT_ONCE }, ask));
    const idle = new Promise<void>((resolve) => {
      upstream.onIdle = resolve;
    });
    // The last connection may have been closed after its last answer; this one is not.
    await ask();
    // The next queries go out in the moment of the close.
    await within(IDLE_MS * 2, "a connection that is closed for its rest", idle);
  }
  await ask();
  report.figure("queries", sent);
  report.figure("rests", rests);
  report.atLeast("connections", upstream.connections - connections, sent / ANSWERS);
  report.figure("longest ms", longest);
  for (const rcode of new Set(["SERVFAIL", "no answer", ...failures.keys()]))
    report.atMost(rcode, failures.get(rcode) ?? 0, 0);
}
