/** The answer cache against a map that forgets nothing: never a wrong answer, never above its budget, and no leak. */
import { strict as assert } from "node:assert";
import { SeededRandom } from "../../host/clock.ts";
import { Room, wireName } from "../wire/room.ts";

const BUDGET = 1 << 20;
const A = 1;

describe("answer cache", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("cache/entry/cache.ts");
  });
  beforeEach(() => {
    room.call("open", BUDGET);
  });

  const name = (text: string) => room.call("setKey", room.put(wireName(text)));
  const put = (text: string, mark: number, { view = 1n, type = A, dnssec = 0, cd = 0, size = 100 } = {}) => {
    name(text);
    room.call("put", view, type, dnssec, cd, size, mark);
  };
  const find = (text: string, { view = 1n, type = A, dnssec = 0, cd = 0 } = {}) => {
    name(text);
    return room.call("find", view, type, dnssec, cd);
  };
  const octets = () => room.call("octets");
  const count = () => room.call("count");

  it("keeps answers apart by view, name, type, DO and CD", () => {
    const questions = [
      { text: "a.org" },
      { text: "b.org" },
      { text: "org" },
      { text: "a.org", view: 2n },
      { text: "a.org", type: 28 },
      { text: "a.org", dnssec: 1 },
      { text: "a.org", cd: 1 },
      { text: "a.org", dnssec: 1, cd: 1 },
      { text: "a.org", type: 2 },
      { text: "a.org", view: 1n << 63n },
    ];
    for (const [index, { text, ...rest }] of questions.entries()) put(text, index + 1, rest);
    assert.equal(count(), questions.length);
    for (const [index, { text, ...rest }] of questions.entries()) assert.equal(find(text, rest), index + 1);
    assert.equal(find("A.ORG"), 1, "whatever the case");
    assert.equal(find("c.org"), 0);
    assert.equal(find("a.org", { type: 3 }), 0);
  });

  it("puts a newer answer in the place of the older", () => {
    for (let mark = 1; mark <= 100; mark++) {
      put("a.org", mark, { size: mark * 10 });
      assert.equal(find("a.org"), mark);
      assert.equal(count(), 1);
    }
    const size = octets();
    put("a.org", 1, { size: 1000 });
    assert.equal(octets(), size);
  });

  it("never holds more octets than its budget, and counts them right", () => {
    const random = new SeededRandom(1);
    for (let times = 1; times <= 20_000; times++) {
      put(`n${random.below(5000)}.org`, times, { size: random.below(3000) });
      assert.ok(octets() <= BUDGET);
    }
    assert.ok(octets() > BUDGET / 2, "it is not empty either");
    room.call("clear");
    assert.deepEqual([octets(), count()], [0, 0]);
  });

  it("finds nothing but what was put last, whatever is asked in between", () => {
    const random = new SeededRandom(2);
    const model = new Map<string, number>();
    let hits = 0;
    for (let times = 1; times <= 30_000; times++) {
      const text = `n${Math.floor(random.next() ** 3 * 4000)}.org`;
      if (times % 7000 === 0) {
        room.call("clear");
        model.clear();
      }
      const found = find(text);
      if (found !== 0) {
        hits++;
        assert.equal(found, model.get(text));
      }
      if (found === 0 || random.below(10) === 0) {
        put(text, times, { size: random.below(2000) });
        model.set(text, times);
      }
    }
    assert.ok(hits > 10_000, `${hits} hits`);
    let kept = 0;
    for (const [text, mark] of model) {
      const found = find(text);
      assert.ok(found === 0 || found === mark);
      if (found !== 0) kept++;
    }
    assert.equal(kept, count(), "what is counted is found");
  });

  it("keeps what is asked for again while a scan of names passes through", () => {
    const hot = Array.from({ length: 500 }, (_, index) => `hot${index}.org`);
    for (const [index, text] of hot.entries()) {
      put(text, index + 1);
      for (let times = 0; times < 3; times++) find(text);
    }
    for (let scan = 0; scan < 20_000; scan++) {
      put(`scan${scan}.org`, 9);
      // They are asked for every now and then, as what is hot is.
      if (scan % 100 === 0) for (const text of hot) find(text);
    }
    const found = hot.filter((text, index) => find(text) === index + 1).length;
    assert.ok(found > 490, `${found} of ${hot.length} are left`);
    assert.ok(room.call("evictions") > 10_000);
  });

  it("takes back into the main queue what it has let go too early", () => {
    for (let index = 0; index < 6000; index++) put(`old${index}.org`, 1);
    let gone = 0;
    while (find(`old${gone + 1}.org`) === 0) gone++;
    put(`old${gone}.org`, 2);
    put("fresh.org", 3);
    for (let index = 0; index < 6000; index++) put(`new${index}.org`, 1);
    assert.equal(find("fresh.org"), 0, "a newcomer leaves with the others");
    assert.equal(find(`old${gone}.org`), 2);
  });

  it("does not keep what is larger than a quarter of it", () => {
    put("large.org", 1, { size: BUDGET / 4 });
    assert.deepEqual([find("large.org"), count(), octets()], [0, 0, 0]);
    put("large.org", 2, { size: BUDGET / 4 - 500 });
    assert.equal(find("large.org"), 2);
    put("large.org", 3, { size: BUDGET });
    assert.equal(find("large.org"), 0, "nor what it had before");
  });

  it("goes on in a budget that holds next to nothing", () => {
    room.call("open", 1024);
    for (let index = 1; index < 2000; index++) {
      put(`n${index}.org`, index, { size: index % 100 });
      const found = find(`n${index}.org`);
      assert.ok(found === 0 || found === index);
      assert.ok(octets() <= 1024);
    }
    room.call("open", 0);
    put("a.org", 1);
    assert.deepEqual([find("a.org"), count()], [0, 0]);
  });

  it("leaves an answer to who holds it, when it is replaced, evicted or cleared", () => {
    for (const away of [
      () => put("a.org", 2),
      () => room.call("clear"),
      () => {
        for (let index = 0; index < 12_000; index++) put(`n${index}.org`, 1);
      },
    ]) {
      put("a.org", 1);
      name("a.org");
      assert.equal(room.call("hold", 1n, A), 2);
      away();
      assert.deepEqual([room.call("heldMark"), room.call("heldReferences")], [1, 1]);
      room.call("letGo");
    }
  });

  it("leaks nothing", () => {
    const random = new SeededRandom(3);
    let memory = 0;
    for (let round = 0; round < 40; round++) {
      for (let times = 0; times < 3000; times++) put(`n${random.below(4000)}.org`, 1, { size: random.below(2000) });
      if (round % 2 === 0) room.call("clear");
      if (round === 9) memory = room.memorySize;
    }
    assert.equal(room.memorySize, memory);
  });

  it("counts an answer with its name and its own octets", () => {
    const overhead = (text: string, size: number) => {
      room.call("clear");
      put(text, 1, { size });
      return octets() - room.call("answerSize", size) - wireName(text).length;
    };
    const head = overhead("a.org", 0);
    assert.ok(head > 0 && head < 128);
    assert.equal(overhead("longer.example.org", 5000), head);
  });
});

describe("wait list", () => {
  let room: Room;
  before(async function () {
    this.timeout(120_000);
    room = await Room.open("cache/entry/cache.ts");
  });
  const wait = (...numbers: number[]) => {
    for (const number of numbers) room.call("wait", number);
  };
  const shift = () => room.call("shift", 0);

  it("is first in, first out", () => {
    assert.deepEqual([shift(), room.call("firstWaiter"), room.call("nobodyWaits")], [0, 0, 1]);
    wait(1, 2);
    assert.deepEqual([room.call("firstWaiter"), shift()], [1, 1]);
    wait(3, 1);
    assert.deepEqual([shift(), shift(), shift(), shift()], [2, 3, 1, 0]);
    wait(4);
    assert.deepEqual([room.call("nobodyWaits"), shift(), room.call("nobodyWaits")], [0, 4, 1]);
  });

  it("can be waited on again at once when all are taken", () => {
    wait(1, 2);
    room.call("takeAll");
    assert.equal(room.call("nobodyWaits"), 1);
    wait(3);
    assert.deepEqual([room.call("shift", 1), room.call("shift", 1), room.call("shift", 1)], [1, 2, 0]);
    assert.deepEqual([shift(), shift()], [3, 0]);
  });
});
