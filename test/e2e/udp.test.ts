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

  // The filter makes room by its own limit; where that does not hold, the breaker of the tunnel is what is left.
  it("tells by Envoy's own metric, which an alert asks for, when sessions are refused", async () => {
    const crowded = await Stack.start({
      policy,
      upstreams: { public: { zone: TELLTALE_ZONE } },
      limits: { udpSessions: 4 },
      settings: { udp_sessions: 1000 },
    });
    try {
      const refused = async () => {
        const stats = await (await fetch(`${crowded.target.admin}/stats/prometheus`)).text();
        const [, count] =
          /^envoy_cluster_udp_sess_tunnel_failure\{envoy_cluster_name="dns_udp"\} (\d+)$/m.exec(stats) ?? [];
        return Number(count);
      };
      assert.equal(await refused(), 0);
      crowded.upstream().script = () => ({ messages: [] });
      const asked = Array.from({ length: 20 }, (_, index) =>
        crowded.ask.udp(encodeQuestion(`x${index}.org`), "frontend").catch(() => {}),
      );
      await eventually(10_000, "sessions are refused", async () => (await refused()) > 0);
      await Promise.all(asked);
    } finally {
      await crowded.stop();
    }
  });
});
