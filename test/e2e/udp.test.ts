/**
 * DNS over UDP where the tunnel to the filter could be seen: its first packets.
 */
import { strict as assert } from "node:assert";
import { eventually } from "./clients/deadline.ts";
import { describeAnswer, encodeQuestion } from "./dns.ts";
import { Stack } from "./stack.ts";
import type { Client } from "./target.ts";
import { TELLTALE_ZONE, telltalePolicy } from "./telltale.ts";

const clients: Client[] = ["frontend", "backend", "platform"];
const policy = telltalePolicy(
  Object.fromEntries(clients.map((name, index) => [name, `{cidrs: ["127.0.${index + 1}.0/24"]}`])),
);
const PORTS = 200;

describe("UDP", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await Stack.start({ policy, upstreams: { public: { zone: TELLTALE_ZONE } } });
  });
  after(() => stack.stop());

  // Envoy's HTTP/2 begins before it has read the filter's settings: no address may come by its dynamic table.
  it("answers 200 new ports that are the first packets, each by its own client's policy", async () => {
    const isLive = async () => (await fetch(`${stack.target.admin}/ready`)).ok;
    await stack.restartEnvoy(async () => {
      await eventually(20_000, "Envoy is ready", isLive);
    });
    const asked = Array.from({ length: PORTS }, async (_, index) => {
      const client = clients[index % clients.length] ?? "frontend";
      const name = `${clients[Math.floor(index / clients.length) % clients.length]}.org`;
      const answer = await stack.ask.udp(encodeQuestion(name), client);
      const expected = name === `${client}.org` ? "NXDOMAIN" : `NOERROR; ${name} A 192.0.2.1`;
      assert.equal(describeAnswer(answer), expected, `${name} asked by ${client}, number ${index}`);
    });
    await Promise.all(asked);
    assert.equal(await stack.reloads(), 0);
  });
});
