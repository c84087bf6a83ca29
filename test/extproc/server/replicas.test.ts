import assert from "node:assert/strict";
import {
  type BoardReader,
  type ReplicaReport,
  Replicas,
  reportOf,
  statesOf,
} from "../../../extproc/server/replicas.ts";
import type { WorkerStatus } from "../../../extproc/server/sync/registry.ts";
import { FakeClock } from "./fake-clock.ts";

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

  describe("and a change", () => {
    const clock = new FakeClock();
    let reader: BoardReader | undefined;
    const replicas = new Replicas({
      board: {
        read: (given) => {
          reader = given;
        },
        tell: async () => {},
        remove: async () => {},
        close: () => {},
      },
      identity: "own",
      clock,
      everyMs: 1000,
      report: () => report(),
      onFailed: (error) => assert.fail(String(error)),
    });
    const tell = (name: string, ...workers: WorkerStatus[]) => reader?.onTold(name, JSON.stringify(report(...workers)));
    const isSettled = async (sequence: number, own: readonly WorkerStatus[]) => {
      let done = false;
      void replicas
        .settled(sequence, () => own)
        .then(() => {
          done = true;
        });
      await new Promise((resolve) => setImmediate(resolve));
      return () => done;
    };

    it("wait for a worker of another, until it obeys or for 5 s", async () => {
      tell("other", worker("a", 5));
      const done = await isSettled(6, []);
      assert.equal(done(), false);
      tell("other", worker("a", 6));
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(done(), true);
      const late = await isSettled(7, []);
      for (let passed = 0; passed < 5000; passed += 100) {
        assert.equal(late(), false);
        clock.advance(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(late(), true);
      assert.deepEqual(
        replicas.workers([]).map(({ node, acknowledged }) => `${node} ${acknowledged}`),
        ["east 6"],
      );
    });

    it("do not wait for one that was killed, whose workers are elsewhere by now", async () => {
      tell("killed", worker("a", 7), worker("b", 7));
      clock.advance(1);
      tell("other", worker("a", 8));
      const done = await isSettled(8, [worker("b", 8)]);
      assert.equal(done(), true);
      assert.equal(replicas.workers([worker("b", 8)]).length, 2);
    });

    it("do not take a worker for behind that has gone from here to another", () => {
      tell("other", worker("c", 9));
      const [one, ...more] = replicas.workers([worker("c", 5, false)]).filter((each) => each.worker === "c");
      assert.deepEqual([one?.acknowledged, more.length], [9, 0]);
    });
  });
});
