/** Which subject a client is: address blocks of both families, by evidence, against a plain model of them. */
import { strict as assert } from "node:assert";
import { SeededRandom } from "../../host/clock.ts";
import { VerdictLab } from "./lab.ts";

const BUDGET = 1 << 20;
/** Bits of Evidence in protos/sync.proto. */
const PRINCIPAL = 1;
const ALL_EVIDENCE = 7;
const MASK = 0xffff_ffff_ffff_ffffn;

describe("client table", () => {
  let lab: VerdictLab;
  before(async function () {
    this.timeout(120_000);
    lab = await VerdictLab.open();
  });
  beforeEach(() => {
    lab.room.call("open", BUDGET);
  });

  const ipv4 = (address: string) => address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  /** Groups with `::` once; enough for these tests. */
  const ipv6 = (address: string) => {
    const [head = "", tail] = address.split("::");
    const before = head.split(":").filter(Boolean);
    const after = (tail ?? "").split(":").filter(Boolean);
    const groups = [...before, ...Array(tail === undefined ? 0 : 8 - before.length - after.length).fill("0"), ...after];
    return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  };
  const set6 = (address: bigint, evidence = 0) => lab.room.call("setPeer6", address >> 64n, address & MASK, evidence);
  const set = (address: string, evidence = 0) =>
    address.includes(":") ? set6(ipv6(address), evidence) : lab.room.call("setPeer4", ipv4(address), evidence);
  const put = (address: string, prefix: number, subject: number, { tenant = 0, evidence = 0 } = {}) => {
    set(address, evidence);
    lab.room.call("putClient", prefix, subject, tenant);
  };
  const find = (address: string, evidence = 0) => {
    set(address, evidence);
    return lab.room.call("findClient", 1);
  };

  it("knows the clients of an IPv4 block", () => {
    put("10.1.2.3", 24, 5, { tenant: 9 });
    assert.deepEqual(
      ["10.1.2.0", "10.1.2.255", "10.1.3.0", "10.1.1.255", "::a01:203"].map((each) => find(each)),
      [5, 5, 0, 0, 0],
    );
    find("10.1.2.77");
    assert.equal(lab.room.call("peerTenant"), 9);
    put("192.0.2.1", 32, 6);
    assert.deepEqual(
      ["192.0.2.1", "192.0.2.0"].map((each) => find(each)),
      [6, 0],
    );
  });

  it("knows the clients of an IPv6 block, whichever half it ends in", () => {
    for (const [prefix, within, without] of [
      [32, "2001:db8:ffff::", "2001:db9::"],
      [64, "2001:db8::ffff:0:0:1", "2001:db8:0:1::"],
      [65, "2001:db8::7fff:0:0:1", "2001:db8::8000:0:0:0"],
      [127, "2001:db8::1", "2001:db8::2"],
      [128, "2001:db8::", "2001:db8::1"],
    ] as const) {
      lab.room.call("open", BUDGET);
      put("2001:db8::", prefix, 5);
      assert.deepEqual([find(within), find(without)], [5, 0], `/${prefix}`);
    }
  });

  it("keeps the families apart, even blocks of no bits", () => {
    put("10.0.0.1", 0, 5);
    assert.deepEqual([find("255.255.255.255"), find("0.0.0.0"), find("::"), find("2001:db8::1")], [5, 5, 0, 0]);
    put("::1", 0, 6);
    assert.deepEqual([find("10.0.0.1"), find("ffff::")], [5, 6]);
  });

  it("takes an IPv4-mapped address for the IPv4 address that it is", () => {
    put("10.0.0.1", 32, 5);
    assert.equal(find("::ffff:a00:1"), 5);
    lab.room.call("open", BUDGET);
    put("::ffff:a00:1", 8, 6);
    assert.deepEqual([find("10.255.0.1"), find("11.0.0.1")], [6, 0]);
  });

  it("keeps evidence apart where it can make a difference", () => {
    for (const relevant of [PRINCIPAL, ALL_EVIDENCE]) {
      lab.room.call("forgetClients", relevant);
      put("10.0.0.1", 8, 5, { evidence: 0 });
      assert.deepEqual([find("10.0.0.1", 0), find("10.0.0.1", 1)], [5, 0]);
      put("10.0.0.1", 8, 6, { evidence: 1 });
      assert.deepEqual([find("10.0.0.1", 0), find("10.0.0.1", 1)], [5, 6]);
    }
    for (const relevant of [0, ALL_EVIDENCE - PRINCIPAL]) {
      lab.room.call("forgetClients", relevant);
      put("10.0.0.1", 8, 7, { evidence: 0 });
      assert.deepEqual([find("10.0.0.1", 0), find("10.0.0.1", 1)], [7, 7]);
    }
  });

  it("knows nobody without evidence, and keeps nothing of them", () => {
    lab.room.call("setUnknownPeer");
    lab.room.call("putClient", 0, 5, 0);
    assert.deepEqual([lab.room.call("findClient", 1), lab.room.call("clientCount")], [0, 0]);
  });

  it("refuses more bits than an address has", () => {
    for (const prefix of [33, 128, 0xffffffa0, 0xffffffff]) put("10.0.0.1", prefix, 5);
    for (const prefix of [129, 224, 0xffffffff]) put("2001:db8::", prefix, 5);
    assert.equal(lab.room.call("clientCount"), 0);
  });

  it("keeps a block once", () => {
    put("10.0.0.1", 8, 5);
    put("10.9.9.9", 8, 5);
    assert.equal(lab.room.call("clientCount"), 1);
  });

  it("knows nobody in a new epoch, nor what peers remembered", () => {
    put("10.0.0.1", 8, 5);
    assert.equal(lab.room.call("findClient", 0), 5, "remembered");
    lab.room.call("forgetClients", 0);
    assert.equal(lab.room.call("findClient", 0), 0);
    assert.deepEqual([lab.room.call("clientCount"), lab.room.call("clientOctets")], [0, 0]);
    put("10.0.0.1", 16, 6);
    assert.deepEqual([find("10.0.255.1"), find("10.1.0.1")], [6, 0]);
  });

  it("finds a block exactly where the model says that there is one", () => {
    const random = new SeededRandom(10);
    const bits = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffffn;
    const mask = (address: bigint, prefix: number) => address & (bits << BigInt(128 - prefix)) & bits;
    // Few bits differ, at both ends of both halves.
    const randomAddress = () =>
      [0, 1, 63, 64, 65, 126, 127].reduce((sum, bit) => sum | (BigInt(random.below(2)) << BigInt(bit)), 1n << 100n);
    let hits = 0;
    for (let round = 0; round < 300; round++) {
      lab.room.call("forgetClients", 0);
      const blocks: { address: bigint; prefix: number; subject: number }[] = [];
      const modelled = (address: bigint) =>
        blocks.find((block) => mask(address, block.prefix) === block.address)?.subject ?? 0;
      for (let subject = 1; subject <= 12; subject++) {
        const address = randomAddress();
        const prefix = random.pick([1, 2, 63, 64, 65, 66, 127, 128]);
        set6(address);
        // Blocks never overlap within a revision.
        const overlaps = blocks.some((block) => mask(block.address, prefix) === mask(address, prefix));
        if (overlaps || modelled(address) !== 0) continue;
        lab.room.call("putClient", prefix, subject, 0);
        blocks.push({ address: mask(address, prefix), prefix, subject });
      }
      assert.equal(lab.room.call("clientCount"), blocks.length);
      for (let times = 0; times < 30; times++) {
        const address = randomAddress();
        set6(address);
        assert.equal(lab.room.call("findClient", 1), modelled(address));
        if (modelled(address) !== 0) hits++;
      }
    }
    assert.ok(hits > 1000);
  });

  it("never holds more octets than its budget, and leaks nothing", () => {
    lab.room.call("open", 1 << 16);
    let memory = 0;
    for (let index = 0; index < 50_000; index++) {
      lab.room.call("setPeer4", index * 257, 0);
      lab.room.call("putClient", 32 - (index % 3), 1 + index, 0);
      assert.ok(lab.room.call("clientOctets") <= 1 << 16);
      if (index % 20_000 === 0) lab.room.call("forgetClients", 0);
      if (index === 25_000) memory = lab.room.memorySize;
    }
    assert.equal(lab.room.memorySize, memory);
    assert.ok(lab.room.call("clientCount") > 100);
    assert.equal(lab.room.call("findClient", 1), 50_000, "who came last is known");
  });
});
