import assert from "node:assert/strict";
import { type Membership, WorkerRegistry } from "../../../extproc/server/sync/registry.ts";

describe("the registry of workers", () => {
  let now: number;
  let registry: WorkerRegistry;
  beforeEach(() => {
    now = 0;
    registry = new WorkerRegistry({ lastGoodMs: 1000, now: () => now });
  });

  function join(worker: string, process = "p", node = "n", concurrency = 2): Membership {
    return registry.join({ node, process, worker }, concurrency);
  }

  function names(): string[] {
    return registry.list().map(({ node, process, worker, connected }) => {
      return `${node}/${process}/${worker}${connected ? "" : " away"}`;
    });
  }

  it("forgets a worker that was reloaded: a process has no more than its concurrency", () => {
    const a = join("a");
    const b = join("b");
    now = 10;
    b.leave();
    now = 20;
    a.leave();
    join("c");
    assert.deepEqual(names(), ["n/p/a away", "n/p/c"]);
    join("d");
    assert.deepEqual(names(), ["n/p/c", "n/p/d"]);
  });

  it("does not displace those who are connected", () => {
    join("a");
    join("b");
    join("c");
    assert.deepEqual(names(), ["n/p/a", "n/p/b", "n/p/c"]);
  });

  it("forgets one that fell silent when there are more than there can be", () => {
    const a = join("a");
    const b = join("b");
    now = 2000;
    b.heard();
    const c = join("c");
    now = 2999;
    assert.deepEqual(names(), ["n/p/a", "n/p/b", "n/p/c"]);
    now = 3000;
    assert.deepEqual(names(), ["n/p/b", "n/p/c"]);
    assert.deepEqual([a.isKnown, b.isKnown, c.isKnown], [false, true, true]);
    now = 9000;
    assert.deepEqual(names(), ["n/p/b", "n/p/c"], "as many as there can be may be silent");
  });

  it("keeps one that may still answer while there is room for it", () => {
    join("a").leave();
    join("b");
    assert.deepEqual(names(), ["n/p/a away", "n/p/b"]);
  });

  it("forgets the ended workers of a node's older process, also when they end later", () => {
    join("a", "old").leave();
    const b = join("b", "old");
    join("c", "new");
    assert.deepEqual(names(), ["n/old/b", "n/new/c"]);
    b.leave();
    assert.deepEqual(names(), ["n/new/c"]);
  });

  it("keeps those of other nodes", () => {
    join("a", "p", "n").leave();
    join("a", "q", "m");
    assert.deepEqual(names(), ["n/p/a away", "m/q/a"]);
  });

  it("forgets by age", () => {
    join("a").leave();
    now = 999;
    assert.deepEqual(registry.list()[0]?.until, 1000);
    now = 1000;
    assert.deepEqual(names(), []);
  });

  it("lets only the newest stream of a worker speak for it", () => {
    const first = join("a");
    const second = join("a");
    first.acknowledge(5);
    first.leave();
    assert.deepEqual(
      registry.list().map(({ connected, acknowledged }) => ({ connected, acknowledged })),
      [{ connected: true, acknowledged: 0 }],
    );
    second.acknowledge(5);
    assert.deepEqual(registry.behind(5), []);
  });

  it("never goes back in what is acknowledged", () => {
    const a = join("a");
    a.acknowledge(5);
    a.acknowledge(4);
    assert.equal(registry.list()[0]?.acknowledged, 5);
  });

  it("resolves when all who are connected have acknowledged, or have gone", async () => {
    const a = join("a");
    const b = join("b");
    const { done } = registry.acknowledged(3);
    let resolved = false;
    void done.then(() => {
      resolved = true;
    });
    a.acknowledge(3);
    await Promise.resolve();
    assert.equal(resolved, false);
    b.leave();
    await done;
    assert.deepEqual(
      registry.behind(3).map(({ worker }) => worker),
      ["b"],
    );
  });

  it("bounds the nodes that it remembers", () => {
    registry = new WorkerRegistry({ lastGoodMs: 1000, now: () => now, maxNodes: 3 });
    for (let index = 0; index < 100; index++) {
      join("a", "p", `n${index}`).leave();
      now += 1000;
    }
    assert.deepEqual(names(), []);
    const late = join("a", "old", "n99");
    join("b", "new", "n99");
    late.leave();
    assert.deepEqual(names(), ["n99/new/b"]);
  });
});
