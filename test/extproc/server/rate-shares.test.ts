/**
 * A meter's rate among the workers that use it: how it is divided, when it is told, and what is forgotten.
 */
import assert from "node:assert/strict";
import type { MeterShare } from "../../../extproc/gen/types/dns/mesh/v1/MeterShare.ts";
import type { MeterUse__Output } from "../../../extproc/gen/types/dns/mesh/v1/MeterUse.ts";
import { divideByNeed, RateShares } from "../../../extproc/server/sync/rate-shares.ts";
import { FakeClock } from "./fake-clock.ts";
import { Harness, until } from "./harness.ts";
import { WorkerPeer } from "./peers.ts";

const rounded = (shares: readonly number[]) => shares.map((share) => Math.round(share * 1000) / 1000);

describe("a rate divided by need", () => {
  it("is all of one worker's", () => {
    assert.deepEqual(divideByNeed([0.2]), [1]);
    assert.deepEqual(divideByNeed([9]), [1]);
  });

  it("is equal for those who need more than there is, and what one does not need is for others", () => {
    assert.deepEqual(rounded(divideByNeed([4, 4, 4, 4])), [0.25, 0.25, 0.25, 0.25]);
    assert.deepEqual(rounded(divideByNeed([9, 0.2, 9])), [0.4, 0.2, 0.4]);
    assert.deepEqual(rounded(divideByNeed([0.3, 0.1])), [0.6, 0.4]);
  });

  it("leaves an idle worker a twentieth, or half of an equal part", () => {
    assert.deepEqual(rounded(divideByNeed([9, 0])), [0.95, 0.05]);
    const many = divideByNeed([9, ...Array.from({ length: 99 }, () => 0)]);
    assert.equal(many[1], 0.005);
    assert.ok(Math.abs(many.reduce((sum, share) => sum + share, 0) - 1) < 1e-9, "all of it is given");
  });
});

describe("RateShares", () => {
  class Holder {
    readonly told: (readonly MeterShare[])[] = [];
    sendMeterShares(shares: readonly MeterShare[]): void {
      this.told.push(shares);
    }
    get last(): number[] | undefined {
      return this.told.at(-1)?.map(({ share }) => share ?? 0);
    }
  }
  const use = (id: number, load: number) =>
    ({ id, client_high: 0, client_low: 0, load }) as unknown as MeterUse__Output;
  let clock: FakeClock;
  let shares: RateShares;
  let first: Holder;
  let second: Holder;

  beforeEach(() => {
    clock = new FakeClock();
    shares = new RateShares(clock);
    first = new Holder();
    second = new Holder();
  });

  it("divides the part that is this service's, where others have workers, too", () => {
    shares.part = 0.5;
    shares.used(first, [use(1, 600)]);
    shares.used(second, [use(1, 200)]);
    clock.advance(100);
    assert.deepEqual([first.last, second.last], [[300_000], [200_000]]);
  });

  it("tells all who use a meter, once for what comes within 100 ms", () => {
    shares.used(first, [use(1, 3000), use(2, 100)]);
    shares.used(second, [use(1, 200)]);
    clock.advance(99);
    assert.equal(first.told.length, 0);
    clock.advance(1);
    assert.deepEqual(first.told.length, 1);
    assert.deepEqual(first.last, [800_000, 1_000_000]);
    assert.deepEqual(second.last, [200_000]);
    assert.equal(first.told[0]?.[0]?.id, 1);
  });

  it("takes back what a worker uses no more, and then forgets it", () => {
    shares.used(first, [use(1, 3000)]);
    shares.used(second, [use(1, 3000)]);
    for (let second = 0; second < 3; second++) {
      clock.advance(1000);
      shares.used(first, [use(1, 3000)]);
      shares.expire();
    }
    clock.advance(100);
    assert.deepEqual(first.last, [950_000]);
    assert.deepEqual(second.last, [50_000]);
    clock.advance(10_001);
    shares.expire();
    assert.equal(shares.size, 0);
  });

  it("gives at once what a worker had that is gone", () => {
    shares.used(first, [use(1, 3000)]);
    shares.used(second, [use(1, 3000)]);
    clock.advance(100);
    assert.deepEqual(first.last, [500_000]);
    shares.left(second);
    shares.used(first, [use(1, 3000)]);
    clock.advance(100);
    assert.deepEqual(first.last, [1_000_000]);
    assert.equal(second.told.length, 1);
  });

  it("knows 50,000 meters at most, and reads 256 of a message", () => {
    for (let message = 0; message < 250; message++) {
      shares.used(
        first,
        Array.from({ length: 300 }, (_, index) => use(message * 300 + index, 100)),
      );
    }
    assert.equal(shares.size, 50_000);
    clock.advance(100);
    assert.equal(first.last?.length, 50_000);
  });

  describe("over Sync", () => {
    let harness: Harness;
    afterEach(() => harness.stop());

    it("goes to workers by their streams", async () => {
      harness = await Harness.start();
      const busy = WorkerPeer.hello(harness.client(), { worker: 1 });
      const idle = WorkerPeer.hello(harness.client(), { worker: 2 });
      await busy.waitRevision(1);
      await idle.waitRevision(1);
      const id = "18446744073709551615";
      idle.send({ meter_uses: { uses: [{ id, client_high: 7, load: 100 }] } });
      await until(() => harness.clock.isDue(100), "the first to be heard");
      busy.send({ meter_uses: { uses: [{ id, client_high: 7, load: 5000 }] } });
      // A message that is answered says that the one before it was read.
      busy.report({ number: 1 });
      await until(() => busy.reportAcks.length === 1, "the second to be heard");
      harness.clock.advance(100);
      const sharesOf = (worker: WorkerPeer) =>
        worker.received.flatMap(({ meter_shares }) => meter_shares?.shares ?? []);
      await until(() => sharesOf(busy).length === 1 && sharesOf(idle).length === 1, "the shares");
      assert.equal(sharesOf(busy)[0]?.share, 900_000);
      assert.equal(sharesOf(idle)[0]?.share, 100_000);
      assert.equal(String(sharesOf(idle)[0]?.id), id);
      assert.equal(String(sharesOf(idle)[0]?.client_high), "7");
    });
  });
});
