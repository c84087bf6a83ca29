import assert from "node:assert/strict";
import { type ReplicaReport, reportOf, statesOf } from "../../../extproc/server/replicas.ts";
import type { WorkerStatus } from "../../../extproc/server/sync/registry.ts";

function worker(name: string, acknowledged: number, connected = true): WorkerStatus {
  return { node: "east", process: "1", worker: name, connected, acknowledged, ...(connected ? {} : { until: 9 }) };
}

const report = (...workers: WorkerStatus[]): ReplicaReport => reportOf(workers, []);

function told(...reports: ReplicaReport[]): string[] {
  return statesOf(reports).map(({ workers, acknowledged, oldest }) => `${workers} ${acknowledged} ${oldest}`);
}

describe("the services of one store", () => {
  it("tell of the worker that is most behind", () => {
    assert.deepEqual(told(report(worker("a", 7), worker("b", 5)), report()), ["2 5 worker b of east", "0 0 "]);
    assert.deepEqual(told(report(worker("a", 7), worker("b", 5, false))), ["2 5 worker b of east"]);
  });

  it("do not wait for a worker that has gone to another", () => {
    assert.deepEqual(told(report(worker("a", 7)), report(worker("a", 5, false))), ["1 7 worker a of east", "0 0 "]);
  });

  it("take a worker for theirs who has told of it last: the other may be gone", () => {
    assert.deepEqual(told(report(worker("a", 7)), report(worker("a", 5))), ["1 7 worker a of east", "0 0 "]);
  });
});
