import assert from "node:assert/strict";
import { type Observation, type ObservedResource, observe } from "../../../extproc/server/resource-status.ts";
import { Harness, until } from "./harness.ts";
import { WorkerPeer } from "./peers.ts";
import { DENY_COM } from "./policies.ts";

describe("the status of a resource", () => {
  const worker = (number: number, acknowledged: number) => ({
    node: "east",
    process: "1",
    worker: String(number),
    connected: true,
    acknowledged,
  });
  const calm: Observation = {
    sequence: 5,
    workers: [worker(1, 5)],
    envoys: [],
    timeOf: () => undefined,
    lists: [],
    sources: [],
  };
  const resource = { kind: "Upstream", name: "u", text: "", generation: 3, revision: 4 };

  function programmed(observation: Partial<Observation>, more = {}) {
    const [observed] = observe([{ ...resource, ...more }], { ...calm, ...observation });
    const { status, reason, message } = observed?.status.conditions[2] ?? {};
    return [status, reason, message];
  }

  it("has the conditions of the Gateway API, of the generation that it is about", () => {
    const [observed] = observe([resource], { ...calm, timeOf: (sequence) => `time of ${sequence}` });
    assert.equal(observed?.status.observedGeneration, 3);
    assert.deepEqual(
      observed?.status.conditions.map(({ type, status, observedGeneration, lastTransitionTime }) => [
        type,
        status,
        observedGeneration,
        lastTransitionTime,
      ]),
      [
        ["Accepted", "True", 3, "time of 4"],
        ["ResolvedRefs", "True", 3, "time of 4"],
        ["Programmed", "True", 3, undefined],
      ],
    );
  });

  it("says when it is programmed, or why not", () => {
    assert.deepEqual(programmed({}), ["True", "Programmed", "acknowledged by all of 1 workers"]);
    assert.deepEqual(programmed({ sequence: 3 }), ["False", "Pending", "workers have not been told yet"]);
    assert.deepEqual(programmed({ workers: [] }), ["Unknown", "NoWorkers", "no worker is known"]);
    const workers = [4, 3, 5, 1].map((acknowledged, index) => worker(index, acknowledged));
    const message = "behind revision 4: worker 1 of east, worker 3 of east, of 4 workers";
    assert.deepEqual(programmed({ workers }), ["False", "Pending", message]);
    const many = Array.from({ length: 9 }, (_, index) => worker(index, 0));
    assert.match(programmed({ workers: many })[2] ?? "", /worker 4 of east and 4 more, of 9 workers$/);
    const envoys = [{ node: "east", accepted: 1, rejected: "no" }];
    assert.deepEqual(programmed({ envoys }), ["False", "Rejected", "Envoy east has rejected its clusters: no"]);
    assert.equal(programmed({ envoys }, { kind: "Tenant" })[0], "True");
  });

  it("follows what workers acknowledge", async () => {
    const harness = await Harness.start();
    try {
      const peer = WorkerPeer.hello(harness.client(), { node: "east" });
      await peer.waitRevision(1);
      peer.ack(1);
      const read = async () => {
        const headers = { accept: "application/json" };
        const call = { path: "/v1/resources", headers };
        const { resources } = JSON.parse((await harness.http(call)).text);
        return (resources as ObservedResource[]).map(({ generation, revision, status }) => {
          return [generation, revision, status.conditions[2]?.status];
        });
      };
      await until(() => harness.service.control.workers()[0]?.acknowledged === 1, "the acknowledgement");
      const applied = harness.apply(DENY_COM.replace("30s", "31s"));
      await peer.waitRevision(2);
      assert.deepEqual(await read(), [
        [2, 2, "False"],
        [1, 1, "True"],
        [1, 1, "True"],
      ]);
      const status = JSON.parse((await harness.http({ path: "/v1/status" })).text);
      assert.deepEqual(
        status.pending.map(({ kind, generation }: Record<string, unknown>) => [kind, generation]),
        [["DnsPolicy", 2]],
      );
      assert.deepEqual(status.resources[0], { kind: "DnsPolicy", count: 1, programmed: 0 });
      peer.ack(2);
      assert.equal((await applied).status, 200);
      assert.deepEqual((await read())[0], [2, 2, "True"]);
    } finally {
      await harness.stop();
    }
  });
});
