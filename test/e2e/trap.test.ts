/**
 * A trap ends the VM of a worker, whichever transport brought it: the next queries find a new one.
 */
import { strict as assert } from "node:assert";
import { compileToFile } from "../filter/build.ts";
import { eventually } from "./clients/deadline.ts";
import { type DohAsker, postDns, readDns } from "./clients/doh.ts";
import { UdpClient } from "./clients/udp.ts";
import { type Answer, describeAnswer, encodeQuestion } from "./dns.ts";
import { Stack, type StackOptions } from "./stack.ts";

/** A tenant's name is what the pushes after a trap change. */
const policy = (tenant: string) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: ${tenant}}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}`;
const upstreams: StackOptions["upstreams"] = {
  public: { zone: "*.org 300 A 192.0.2.1\nready.test 300 A 192.0.2.9" },
};

/** For the VM, and for clients that ask again: one whose query was lost with the old VM has waited for it first. */
const AT_ONCE_MS = 1500;
const PATIENCE_MS = 250;

describe("a trap", function () {
  this.timeout(60_000);
  let stack: Stack;
  let steady: UdpClient;
  before(async () => {
    const wasm = await compileToFile("test/filter/trap/entry/filter.ts");
    stack = await Stack.start({ policy: policy("everybody"), upstreams, bootstrap: { wasm } });
    steady = await UdpClient.open(stack.ask.at("udp"), stack.ask.from("frontend"));
  });
  after(async () => {
    steady.close();
    await stack.stop();
  });

  type Ask = (question: Buffer) => Promise<Answer>;
  const overStream =
    (transport: "tcp" | "dot"): Ask =>
    async (question) => {
      const client = await stack.ask[transport]();
      return client.ask(question, PATIENCE_MS).finally(() => client.close());
    };
  const overHttp =
    (open: () => Promise<DohAsker>): Ask =>
    async (question) => {
      const client = await open();
      return postDns(client, question)
        .then(readDns)
        .finally(() => client.close());
    };
  const ways: Record<string, Ask> = {
    UDP: (question) => stack.ask.udp(question, "frontend", PATIENCE_MS),
    "UDP from a port that is kept": (question) => steady.ask(question, PATIENCE_MS),
    TCP: overStream("tcp"),
    DoT: overStream("dot"),
    DoH: overHttp(() => stack.ask.doh()),
    DoH3: overHttp(() => stack.ask.doh3()),
  };

  /** Every transport answers, by way of the upstream. */
  async function everyWayAnswers(name: string): Promise<void> {
    const answers = Object.entries(ways).map(async ([way, ask], index) => {
      const question = () => encodeQuestion(`${name}${index}.org`);
      const answer = await eventually(AT_ONCE_MS, `an answer over ${way}`, () => ask(question()));
      assert.equal(describeAnswer(answer), `NOERROR; ${name}${index}.org A 192.0.2.1`, way);
    });
    await Promise.all(answers);
  }

  /** Sums of the plugins' counters `vm_reload_*`. */
  async function reloads(what: "success" | "failure"): Promise<number> {
    const counters = await stack.stats(new RegExp(`vm_reload_${what}$`));
    return [...counters.values()].reduce((sum, value) => sum + value, 0);
  }

  const traps: [through: string, way: string, name: string][] = [
    ...Object.keys(ways).map((way): [string, string, string] => [way, way, "here.trap.test"]),
    ["the pipe", "UDP", "pipe.trap.test"],
  ];
  for (const [index, [through, way, name]] of traps.entries()) {
    it(`through ${through} leaves every transport answering, and policy obeyed`, async () => {
      await everyWayAnswers(`before${index}x`);
      const before = await reloads("success");
      await assert.rejects((ways[way] as Ask)(encodeQuestion(name)), `${name} got an answer: there was no trap`);
      await everyWayAnswers(`after${index}x`);
      assert.ok((await reloads("success")) > before, "a VM was made anew");
      assert.equal(await reloads("failure"), 0);
      await stack.apply(stack.policy({ policy: policy(`everybody-${index}`), upstreams }));
    });
  }
});
