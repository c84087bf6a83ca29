import assert from "node:assert/strict";
import type { QueryEvent } from "../../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { exportSyslog, type SyslogTarget } from "../../../../extproc/telemetry/export/syslog.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import { freePort } from "../../../e2e/ports.ts";
import { eventOf, readEvent } from "../events.ts";
import { SyslogServer } from "./syslog-server.ts";

describe("syslog", function () {
  this.timeout(60_000);
  let server: SyslogServer;
  const troubles: string[] = [];
  before(async () => {
    server = await SyslogServer.start();
  });
  after(() => server.stop());
  beforeEach(() => {
    troubles.length = 0;
  });

  const open = (target: Partial<SyslogTarget> & Pick<SyslogTarget, "transport">) =>
    exportSyslog(
      { host: "127.0.0.1", port: server.ports[target.transport], ...target },
      {
        after: (milliseconds, task) => {
          const timer = setTimeout(task, milliseconds);
          return () => clearTimeout(timer);
        },
        onTrouble: (message) => troubles.push(message),
        random: Math.random,
        now: Date.now,
      },
    );
  const EVENTS: QueryEvent[] = [
    eventOf(),
    eventOf({ outcome: 0, policy: "", rule: "", rcode: 0, ede: 0 }),
    eventOf({ outcome: 6, policy: "guards", rule: "limit", rcode: 5, ede: 19 }),
    eventOf({
      outcome: 0,
      rcode: 0,
      ede: 0,
      qname: Buffer.from('\x05"]\\\n\xff\x00', "latin1"),
      audits: [{ policy: "trial", rule: "no-ads", action: 1 }],
    }),
  ];
  let seen = 0;

  for (const transport of ["udp", "tcp", "tls"] as const) {
    it(`has rsyslogd understand denials that came by ${transport}, and hears of nothing else`, async () => {
      const ca = transport === "tls" ? server.certificates.ca : undefined;
      const to = open({ transport, ca, ...(transport === "tls" ? { host: "localhost" } : {}) });
      to.take(EVENTS.map(readEvent), "east 1");
      await eventually(10_000, `three messages: ${troubles}`, () => to.sent === 3);
      const all = await server.messages(seen + 3);
      await to.close();
      const [denied, limited, audited] = all.slice(seen);
      assert.equal(all.length, seen + 3);
      seen = all.length;
      assert.deepEqual(denied, {
        pri: "133",
        version: "1",
        time: "2023-11-14T22:13:20.123456Z",
        host: "east_1",
        app: "envoy-dns-policy",
        id: "denied",
        message: "frontend was denied www.example.com. AAAA by no-com/deny-com",
        data: {
          "query@32473": {
            tenant: "frontend",
            client: "127.0.1.1",
            transport: "dot",
            qname: "www.example.com.",
            qtype: "AAAA",
            policy: "no-com",
            rule: "deny-com",
            rcode: "NXDOMAIN",
            ede: "15",
            revision: "7",
          },
        },
      });
      assert.equal(limited?.message, "frontend was beyond its limit for www.example.com. AAAA by guards/limit");
      assert.deepEqual([audited?.pri, audited?.id], ["134", "would_deny"]);
      const { qname, policy, rule } = audited?.data["query@32473"] ?? {};
      assert.deepEqual([qname, policy, rule], ['"]\\\\\\010\\255.', "trial", "no-ads"]);
      assert.deepEqual([to.sent, to.lost, troubles], [3, 0, []]);
    });
  }

  it("does not speak to a server that it has no reason to trust", async () => {
    const to = open({ transport: "tls" });
    to.take([readEvent(eventOf())], "east");
    await eventually(10_000, "trouble", () => troubles.length > 0);
    assert.match(troubles[0] ?? "", /^syslog: no connection to .*: (self.signed|unable to)/);
    await to.close();
    assert.deepEqual([to.sent, to.lost], [0, 1]);
  });

  it("tells of a server that is away", async () => {
    const to = open({ transport: "tcp", port: await freePort() });
    await eventually(10_000, "trouble", () => troubles.length > 0);
    assert.match(troubles[0] ?? "", /^syslog: no connection to 127.0.0.1:\d+, trying again: .*ECONNREFUSED/);
    await to.close();
  });
});
