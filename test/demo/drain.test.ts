import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { countClients, drain } from "../../demo/drain.ts";

describe("Drain", () => {
  let server: Server;
  let stats: string;
  let seen: string[];
  let admin: { address: string; port: number };

  beforeEach(async () => {
    stats = "";
    seen = [];
    server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url?.replace(/filter=.*/, "filter")}`);
      response.end(stats);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    admin = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
  });

  afterEach(() => server.close());

  it("takes readiness away, then asks listeners, then tells the workers", async () => {
    const tellWorkers = async (): Promise<void> => void seen.push("workers");
    assert.equal(await drain({ admin, tellWorkers, patienceMs: 1000 }), true);
    assert.deepEqual(seen, [
      "POST /healthcheck/fail",
      "POST /drain_listeners?graceful&skip_exit",
      "workers",
      "GET /stats?filter",
    ]);
  });

  it("counts clients, not our own tunnels, admin, or a worker's share", async () => {
    stats = [
      "listener.127.0.0.1_1053.downstream_cx_active: 2",
      "listener.127.0.0.1_1053.worker_0.downstream_cx_active: 2",
      "listener.admin.downstream_cx_active: 1",
      "listener.envoy_internal_dns_udp.downstream_cx_active: 4",
      "udp.udp.downstream_sess_active: 3",
      "",
    ].join("\n");
    assert.equal(await countClients(admin), 5);
  });

  it("ends with its patience while a client stays", async () => {
    stats = "listener.[__1]_1053.downstream_cx_active: 1\n";
    assert.equal(await drain({ admin, tellWorkers: async () => {}, patienceMs: 20 }), false);
  });

  it("goes on when a part is away", async () => {
    server.close();
    const problems: string[] = [];
    const tellWorkers = async (): Promise<void> => Promise.reject(new Error("away"));
    await drain({ admin, tellWorkers, patienceMs: 10, onProblem: (problem) => problems.push(problem) });
    assert.deepEqual(
      problems.map((problem) => problem.split(":")[0]),
      ["readiness", "listeners", "workers"],
    );
  });
});
