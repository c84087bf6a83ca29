import assert from "node:assert/strict";
import { Harness } from "./harness.ts";
import { WorkerPeer } from "./peers.ts";
import { upstream } from "./policies.ts";

describe("versions by the admin API", () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await Harness.start();
  });
  afterEach(() => harness.stop());

  const get = async (path: string) => JSON.parse((await harness.http({ path })).text);

  it("are listed, and shown with their resources", async () => {
    await harness.apply(upstream(1, "TCP", "plain"), "?reason=a%20second%20one&author=alice");
    const { sequence, versions } = await get("/v1/history");
    assert.equal(sequence, 2);
    assert.deepEqual(
      versions.map(({ sequence, author, reason }: Record<string, unknown>) => [sequence, author, reason]),
      [
        [2, { name: "alice", by: "claim" }, "a second one"],
        [1, { name: "dnspolicy", by: "service" }, "the beginning"],
        [0, { name: "dnspolicy", by: "service" }, "an empty store"],
      ],
    );
    const first = await get("/v1/history/1");
    assert.equal(first.hash, versions[1].hash);
    assert.deepEqual(
      first.resources.map(({ kind, name }: Record<string, unknown>) => `${kind}/${name}`),
      ["DnsPolicy/no-com", "Tenant/frontend", "Upstream/public"],
    );
    const none = await harness.http({ path: "/v1/history/9" });
    assert.equal(none.status, 404);
    assert.equal(JSON.parse(none.text).error, "expected a version from 0 to 2, got 9");
    assert.equal((await harness.http({ path: "/v1/history/x" })).status, 400);
    assert.deepEqual({ ...(await get("/v1/status")), warnings: [] }.author, { name: "alice", by: "claim" });
  });

  it("are gone back to, when every worker obeys", async () => {
    const worker = WorkerPeer.hello(harness.client(), { obedient: true });
    await worker.waitRevision(1);
    await harness.apply(upstream(1, "TCP", "plain"));
    const reply = await harness.http({ method: "POST", path: "/v1/rollback?version=1&reason=no" });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.etag, '"3"');
    const { sequence, restores, before, workers, changes } = JSON.parse(reply.text);
    assert.deepEqual([sequence, restores, before, workers.acknowledged], [3, 1, 2, 1]);
    assert.equal(changes.find(({ name }: { name: string }) => name === "plain").change, "deleted");
    assert.ok(worker.revisions.includes(3));
    for (const [query, status] of [
      ["version=9", 404],
      ["", 400],
      ["version=-1", 400],
      ["version=0&dryRun=true", 200],
    ] as const) {
      assert.equal((await harness.http({ method: "POST", path: `/v1/rollback?${query}` })).status, status);
    }
    assert.equal(harness.service.control.sequence, 3);
  });

  it("are what a change may depend on", async () => {
    const put = (match: string, port: number) =>
      harness.http({
        method: "PUT",
        path: "/v1/resources?reason=r",
        headers: { "content-type": "application/yaml", "if-match": match },
        body: upstream(port, "TCP", "plain"),
      });
    for (const path of ["/v1/resources", "/v1/resources/Tenant/frontend", "/v1/status"]) {
      assert.equal((await harness.http({ path })).headers.etag, '"1"', path);
    }
    const first = await put('"1"', 1);
    assert.deepEqual([first.status, first.headers.etag], [200, '"2"']);
    const late = await put('"1"', 2);
    assert.deepEqual([late.status, late.headers.etag], [412, '"2"']);
    const { error, inForce } = JSON.parse(late.text);
    assert.equal(error, "expected version 1 in force, got version 2, made by unnamed at 2023-11-14T22:13:20.000Z: r");
    assert.deepEqual([inForce.sequence, inForce.reason], [2, "r"]);
    assert.equal((await put('W/"2"', 2)).status, 412);
    assert.equal((await put("2", 2)).status, 400);
    assert.equal((await put('"other"', 2)).status, 412);
    assert.equal((await put('"1", "2"', 2)).status, 200);
    assert.equal((await put("*", 3)).status, 200);
    const headers = { "if-match": '"1"' };
    const stale = [
      { method: "DELETE", path: "/v1/resources/Upstream/plain", headers },
      { method: "POST", path: "/v1/rollback?version=1", headers },
    ];
    for (const call of stale) assert.equal((await harness.http(call)).status, 412);
    assert.equal(harness.service.control.sequence, 4);
  });

  it("have a reason of one line, and not too long", async () => {
    for (const reason of ["a%0Ab", "a%E2%80%A8b", "x".repeat(1001)]) {
      assert.equal((await harness.apply(upstream(), `?reason=${reason}`)).status, 400);
    }
  });
});
