/**
 * Hostile input: mutated packets over every transport, while another client asks on.
 */

import { setTimeout as pause } from "node:timers/promises";
import { DNS_MESSAGE, type DohAsker } from "../e2e/clients/doh.ts";
import { frame, type StreamClient } from "../e2e/clients/stream.ts";
import { UdpClient } from "../e2e/clients/udp.ts";
import { emptyReply } from "../e2e/records.ts";
import { Stack } from "../e2e/stack.ts";
import { Load } from "./load.ts";
import { FrameMutator, Mutator } from "./mutate.ts";
import { anyZone, policy } from "./policies.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const PACKETS = 1_000_000;
/** How they are shared out: what a client can send in a time differs by as much. */
const SHARES = { udp: 0.5, tcp: 0.2, dot: 0.2, http2: 0.05, doh: 0.045, doh3: 0.005 };
const BATCH = 200;
/** Of one write to a connection: the server may end it at the first that makes no sense. */
const STREAM_BATCH = 10;

export const hostile: Proof = {
  name: "hostile",
  what: "mutated packets over every transport: no reload of the VM, no other client notices",
  async run(scale, report) {
    const stack = await Stack.start({ policy, upstreams: { public: { zone: anyZone } }, concurrency: 2 });
    stack.upstream().record = false;
    stack.upstream().script = (asked) =>
      asked.name.endsWith(".victim.org") ? stack.upstream().truth(asked) : { messages: [emptyReply(asked.wire, 3)] };
    try {
      const others = await Load.start({
        server: stack.ask.at("udp"),
        from: stack.ask.from("backend"),
        rate: 200,
        names: Array.from({ length: 50 }, (_, index) => `n${index}.victim.org`),
      });
      const total = (share: number) => scaled(PACKETS * share, scale, 100);
      const senders: Record<keyof typeof SHARES, (count: number) => Promise<void>> = {
        udp: (count) => sendUdp(stack, count, 1),
        tcp: (count) => sendStream(() => stack.ask.tcp("frontend"), messages(2), count),
        dot: (count) => sendStream(() => stack.ask.dot("frontend"), messages(3), count),
        http2: (count) => sendStream(() => stack.ask.http2Octets("frontend"), http2Frames(6), count),
        doh: (count) => sendHttp(() => stack.ask.doh("frontend"), count, 4),
        doh3: (count) => sendHttp(() => stack.ask.doh3("frontend"), count, 5),
      };
      for (const [transport, send] of Object.entries(senders) as [keyof typeof SHARES, (typeof senders)["udp"]][]) {
        const started = performance.now();
        await send(total(SHARES[transport]));
        report.figure(`${transport}: packets/s`, total(SHARES[transport]) / ((performance.now() - started) / 1000));
      }
      const result = await others.stop();
      report.figure(
        "packets",
        Object.values(SHARES).reduce((sum, share) => sum + total(share), 0),
      );
      await compare(stack, result, report);
    } finally {
      await stack.stop();
    }
  },
};

async function compare(stack: Stack, others: Awaited<ReturnType<Load["stop"]>>, report: Report): Promise<void> {
  report.check(stack.envoy.running, "expected Envoy to run on");
  report.atMost("VM reloads", await stack.reloads(), 0);
  report.atLeast("others: answered, share", others.share, 0.99);
  report.atMost("others: failed", others.failed, Math.ceil(others.sent / 1000));
  report.figure("others: p99 ms", others.p99Ms);
}

async function sendUdp(stack: Stack, count: number, seed: number): Promise<void> {
  const mutator = new Mutator(seed);
  const client = await UdpClient.open(stack.ask.at("udp"), stack.ask.from("frontend"));
  for (let sent = 0; sent < count; sent += BATCH) {
    for (let index = 0; index < Math.min(BATCH, count - sent); index++) client.send(mutator.next());
    client.unexpected.length = 0;
    // 20,000/s: what is shown is the harm of what they say; that of their number is shown elsewhere ("starving").
    await pause(BATCH / 20);
  }
  client.close();
}

/** What is written to a connection: first, and then again and again. */
interface Script {
  greeting(): Buffer;
  batch(number: number, size: number): Buffer;
}

function messages(seed: number): Script {
  const mutator = new Mutator(seed);
  return {
    greeting: () => Buffer.alloc(0),
    batch: (number, size) => {
      const all = Array.from({ length: size }, () => mutator.next());
      // Some batches lie about their lengths too.
      return number % 10 === 0 ? Buffer.concat(all) : Buffer.from(frame(...all));
    },
  };
}

function http2Frames(seed: number): Script {
  const mutator = new FrameMutator(seed);
  return {
    greeting: () => mutator.greeting(),
    batch: (_number, size) => Buffer.concat(Array.from({ length: size }, () => mutator.next())),
  };
}

/** The server may end a connection that makes no sense: then the next one goes on. */
async function sendStream(open: () => Promise<StreamClient>, script: Script, count: number): Promise<void> {
  let client: StreamClient | undefined;
  for (let sent = 0; sent < count; sent += STREAM_BATCH) {
    if (!client || client.socket.destroyed || !client.socket.writable) {
      client?.close();
      client = await open();
      client.write(script.greeting());
    }
    const bytes = script.batch(sent / STREAM_BATCH, Math.min(STREAM_BATCH, count - sent));
    const { socket, closed } = client;
    const written = new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    await Promise.race([written, closed]);
    await new Promise((resolve) => setImmediate(resolve));
    client.unexpected.length = 0;
    client.order.length = 0;
  }
  client?.close();
}

async function sendHttp(open: () => Promise<DohAsker>, count: number, seed: number): Promise<void> {
  const mutator = new Mutator(seed);
  let client = await open();
  for (let sent = 0; sent < count; sent += 20) {
    const requests = Array.from({ length: Math.min(20, count - sent) }, async (_, index) => {
      const message = mutator.next();
      const encoded = message.toString("base64url");
      if (index % 2 === 0)
        await client.request({ ":method": "POST", ":path": "/dns-query", "content-type": DNS_MESSAGE }, message);
      else await client.request({ ":method": "GET", ":path": `/dns-query?dns=${encoded}` });
    });
    const outcomes = await Promise.allSettled(requests);
    if (outcomes.some(({ status }) => status === "rejected")) {
      await client.close();
      client = await open();
    }
  }
  await client.close();
}
