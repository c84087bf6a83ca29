import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { Harness, type HttpReply, until } from "./harness.ts";
import { bearer, WorkerPeer } from "./peers.ts";
import { POLICY, TENANT, upstream } from "./policies.ts";

const WITHOUT_DENIAL = [TENANT, upstream()].join("---\n");

interface Worker {
  readonly worker: string;
  readonly connected: boolean;
  readonly acknowledged: number;
  readonly behind: boolean;
  readonly until?: string;
}

async function workers(harness: Harness): Promise<Worker[]> {
  return JSON.parse((await harness.http({ path: "/v1/workers" })).text).workers;
}

describe("Sync", () => {
  let harness: Harness;
  afterEach(() => harness.stop());

  it("answers Hello with the revision in force, and beats every second", async () => {
    harness = await Harness.start();
    const worker = WorkerPeer.hello(harness.client());
    await worker.waitRevision(1);
    assert.equal(worker.received[0]?.telemetry?.all_events, true);
    const revision = worker.received.find((message) => message.revision)?.revision;
    assert.equal(revision?.upstreams[0]?.name, "public");
    assert.match(revision.upstreams[0].servers[0]?.cluster ?? "", /^up\/public\//);
    harness.clock.advance(3000);
    await until(() => worker.heartbeats.length === 3, "3 heartbeats");
    assert.deepEqual(worker.heartbeats, [1, 1, 1]);
  });

  it("keeps process and worker numbers of 64 bits apart", async () => {
    harness = await Harness.start();
    const first = WorkerPeer.hello(harness.client(), {
      process: "18446744073709551615",
      worker: "18446744073709551614",
    });
    const second = WorkerPeer.hello(harness.client(), {
      process: "18446744073709551615",
      worker: "18446744073709551613",
    });
    await first.waitRevision(1);
    await second.waitRevision(1);
    const list = await workers(harness);
    assert.deepEqual(list.map(({ worker }) => worker).sort(), ["fffffffffffffffd", "fffffffffffffffe"]);
  });

  it("answers apply when every connected worker has acknowledged", async () => {
    harness = await Harness.start();
    const obedient = WorkerPeer.hello(harness.client(), { worker: 1, obedient: true });
    const slow = WorkerPeer.hello(harness.client(), { worker: 2 });
    await obedient.waitRevision(1);
    await slow.waitRevision(1);
    slow.ack(1);
    const replies: HttpReply[] = [];
    const applied = harness.apply(WITHOUT_DENIAL, "?prune=true").then((reply) => replies.push(reply));
    await slow.waitRevision(2);
    await obedient.waitRevision(2);
    await until(() => harness.clock.isDue(5000), "the wait for workers");
    harness.clock.advance(4999);
    assert.equal(replies.length, 0);
    slow.ack(2);
    await applied;
    const body = JSON.parse(replies[0]?.text ?? "");
    assert.equal(replies[0]?.status, 200);
    assert.deepEqual(body.workers, { acknowledged: 2, behind: [] });
  });

  it("says who is behind when a connected worker does not acknowledge in time", async () => {
    harness = await Harness.start();
    const silent = WorkerPeer.hello(harness.client());
    await silent.waitRevision(1);
    const applied = harness.apply(WITHOUT_DENIAL, "?prune=true");
    await silent.waitRevision(2);
    await until(() => harness.clock.isDue(5000), "the wait for workers");
    harness.clock.advance(5000);
    const { status: code, text } = await applied;
    assert.equal(code, 202);
    const [behind] = JSON.parse(text).workers.behind;
    assert.equal(behind.connected, true);
    assert.equal(behind.until, undefined);
  });

  it("remembers a worker that went without the newest revision, until its verdicts are too old", async () => {
    harness = await Harness.start({ lastGoodMs: 60_000 });
    const worker = WorkerPeer.hello(harness.client(), { obedient: true });
    await worker.waitRevision(1);
    worker.cancel();
    await until(() => harness.service.control.workers()[0]?.connected === false, "the worker to be gone");
    const gone = harness.clock.now();
    const { status: code, text } = await harness.apply(WITHOUT_DENIAL, "?prune=true");
    assert.equal(code, 202);
    const [behind] = JSON.parse(text).workers.behind;
    assert.equal(behind.connected, false);
    assert.equal(behind.until, new Date(gone + 60_000).toISOString());
    harness.clock.advance(60_000);
    assert.deepEqual(await workers(harness), []);
    assert.equal((await harness.apply(POLICY)).status, 200);
  });

  it("takes up a worker that comes back", async () => {
    harness = await Harness.start();
    const client = harness.client();
    const before = WorkerPeer.hello(client, { obedient: true });
    await before.waitRevision(1);
    before.cancel();
    await until(() => harness.service.control.workers()[0]?.connected === false, "the worker to be gone");
    assert.equal((await harness.apply(WITHOUT_DENIAL, "?prune=true")).status, 202);
    const after = WorkerPeer.hello(client, { obedient: true });
    await after.waitRevision(2);
    await until(() => harness.service.control.workers()[0]?.acknowledged === 2, "the acknowledgement");
    assert.equal((await workers(harness)).length, 1);
    assert.equal((await harness.apply(WITHOUT_DENIAL)).status, 200);
  });

  it("passes revisions in order, and heartbeats only of what was passed", async () => {
    harness = await Harness.start();
    const worker = WorkerPeer.hello(harness.client(), { obedient: true });
    await worker.waitRevision(1);
    for (let flip = 0; flip < 20; flip++) {
      const reply = await harness.apply(flip % 2 === 0 ? WITHOUT_DENIAL : POLICY, "?prune=true");
      assert.equal(reply.status, 200);
      harness.clock.advance(1000);
    }
    await until(() => worker.heartbeats.at(-1) === 21, "the last heartbeat");
    let sequence = 0;
    for (const { revision, heartbeat } of worker.received) {
      if (revision) sequence = Number(revision.sequence);
      if (heartbeat) assert.equal(Number(heartbeat.sequence), sequence);
    }
    assert.deepEqual(
      worker.revisions,
      Array.from({ length: 21 }, (_, index) => index + 1),
    );
  });

  it("is not fooled by an acknowledgement of a revision that was never sent", async () => {
    harness = await Harness.start();
    const liar = WorkerPeer.hello(harness.client());
    await liar.waitRevision(1);
    liar.ack(99);
    await until(() => harness.service.control.workers()[0]?.acknowledged === 1, "the acknowledgement");
    const applied = harness.apply(WITHOUT_DENIAL, "?prune=true");
    await liar.waitRevision(2);
    await until(() => harness.clock.isDue(5000), "the wait for workers");
    harness.clock.advance(5000);
    assert.equal((await applied).status, 202);
  });

  it("acknowledges reports by their numbers", async () => {
    harness = await Harness.start();
    const worker = WorkerPeer.hello(harness.client());
    await worker.waitRevision(1);
    for (let number = 1; number <= 4; number++) worker.report({ number, dropped_events: 1 });
    await until(() => worker.reportAcks.length === 4, "4 acknowledgements");
    assert.deepEqual(worker.reportAcks, [1, 2, 3, 4]);
    const { text } = await harness.http({ path: "/metrics" });
    assert.match(text, /^dns_events_dropped_total 4$/m);
    assert.match(text, /^dns_workers_connected 1$/m);
  });

  it("ends a stream with more unacknowledged reports than it may have", async () => {
    const waiting: (() => void)[] = [];
    harness = await Harness.start({ later: (task) => void waiting.push(task) });
    const worker = WorkerPeer.hello(harness.client());
    await worker.waitRevision(1);
    for (let number = 1; number <= 5; number++) worker.report({ number });
    assert.equal((await worker.waitEnd()).code, status.RESOURCE_EXHAUSTED);
  });

  it("refuses what does not begin with a Hello", async () => {
    harness = await Harness.start();
    const client = harness.client();
    const rude = new WorkerPeer(client);
    rude.ack(1);
    assert.equal((await rude.waitEnd()).code, status.INVALID_ARGUMENT);
    const twice = WorkerPeer.hello(client);
    twice.send({ hello: { node: "envoy", concurrency: 1 } });
    assert.equal((await twice.waitEnd()).code, status.INVALID_ARGUMENT);
    const nameless = WorkerPeer.hello(client, { node: "" });
    assert.equal((await nameless.waitEnd()).code, status.INVALID_ARGUMENT);
    const idle = WorkerPeer.hello(client, { concurrency: 0 });
    assert.equal((await idle.waitEnd()).code, status.INVALID_ARGUMENT);
    const silent = new WorkerPeer(client);
    // Other things are due as well: the wait for Hello begins when the service has heard of the call.
    await until(() => {
      harness.clock.advance(100);
      return silent.ended !== undefined;
    }, "the end of the wait for Hello");
    assert.equal((await silent.waitEnd()).code, status.DEADLINE_EXCEEDED);
    // Only the one that said Hello twice was a worker.
    assert.equal((await workers(harness)).length, 1);
  });

  it("asks for the token, in Hello or in the call", async () => {
    harness = await Harness.start({ token: "secret" });
    const client = harness.client();
    assert.equal((await WorkerPeer.hello(client).waitEnd()).code, status.UNAUTHENTICATED);
    assert.equal((await WorkerPeer.hello(client, { token: "secre" }).waitEnd()).code, status.UNAUTHENTICATED);
    assert.equal((await new WorkerPeer(client, bearer("other")).waitEnd()).code, status.UNAUTHENTICATED);
    const admitted = WorkerPeer.hello(client, { token: "secret" });
    await admitted.waitRevision(1);
  });

  it("tells workers of a drain, also those that come to a draining process later", async () => {
    harness = await Harness.start();
    const client = harness.client();
    const first = WorkerPeer.hello(client, { node: "a" });
    const other = WorkerPeer.hello(client, { node: "b" });
    await first.waitRevision(1);
    await other.waitRevision(1);
    const { status: code, text } = await harness.http({ method: "POST", path: "/v1/drain?node=a" });
    assert.equal(code, 200);
    assert.deepEqual(JSON.parse(text), { told: 1 });
    const isDrained = (worker: WorkerPeer) => worker.received.some(({ drain }) => drain);
    await until(() => isDrained(first), "drain");
    const late = WorkerPeer.hello(client, { node: "a", worker: 2 });
    await until(() => isDrained(late), "drain");
    const restarted = WorkerPeer.hello(client, { node: "a", process: 2 });
    await restarted.waitRevision(1);
    harness.clock.advance(1000);
    await until(() => restarted.heartbeats.length > 0, "a heartbeat");
    assert.equal(isDrained(restarted), false);
    assert.equal(isDrained(other), false);
  });

  it("waits with an answer for workers of an earlier run", async () => {
    harness = await Harness.start({ returnMs: 1500 });
    const replies: HttpReply[] = [];
    const applied = harness.apply(WITHOUT_DENIAL, "?prune=true").then((reply) => replies.push(reply));
    await until(() => harness.clock.isDue(1500), "the wait for workers to return");
    const worker = WorkerPeer.hello(harness.client());
    await worker.waitRevision(2);
    harness.clock.advance(1500);
    await until(() => harness.clock.isDue(5000), "the wait for workers");
    assert.equal(replies.length, 0);
    worker.ack(2);
    await applied;
    assert.equal(replies[0]?.status, 200);
  });
});
