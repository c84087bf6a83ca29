/**
 * What was packed reads as what it was, alone and merged with others.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Comparison__Output } from "../../../extproc/gen/types/dns/mesh/v1/Comparison.ts";
import { Packer, Unpacker } from "../../../extproc/telemetry/packing.ts";
import { CountTally, DetailTally } from "../../../extproc/telemetry/tally.ts";
import { hashText } from "../../../extproc/telemetry/unique-count.ts";

const LIST = 3;
const latency = fc.oneof(fc.constant(0), fc.nat(5000), fc.nat(0xffffffff));
/** Few, so that they come again; and hostile ones. */
const text = fc.oneof(
  fc.constantFrom("\x03www\x07example\x03com\0", "\x01a\0", "", "\xff\xfe\x80 \0", 'é"\\\u2028💥'),
  fc.nat(200).map((number) => `\x04n${number}`),
);
const query = fc.record({ name: text, denied: fc.boolean(), latency, small: fc.nat(2), upstream: text, server: text });
const queries = fc.array(query, { maxLength: 60 });
type Query = typeof query extends fc.Arbitrary<infer Q> ? Q : never;

function countsOf(some: readonly Query[]): CountTally {
  const tally = new CountTally();
  for (const { denied, latency: took, small } of some) tally.add(denied ? 1 : 0, small, !denied, took);
  return tally;
}

const COMPARISON = { qname: Buffer.from("\x01a\0"), qtype: 1, first_rcode: 0 } as Comparison__Output;

function detailOf(some: readonly Query[]): DetailTally {
  const tally = new DetailTally(LIST);
  for (const { name, denied, latency: took, small, upstream, server } of some) {
    for (const list of [tally.names, tally.denied, tally.audited, tally.clients, tally.zones]) list.add(name, denied);
    for (const unique of [tally.uniqueNames, tally.uniqueClients]) unique.add(hashText(name));
    for (const shares of [tally.rcodes, tally.types, tally.transports]) shares.add(`${upstream}${small}`);
    const asked = tally.upstream(upstream);
    asked.queries++;
    asked.failed += small;
    asked.latency.add(took);
    asked.server(server)?.add(took);
    const outcome = (["refused", "failed", "connected"] as const)[small] ?? "allowed";
    tally.connections.add({ tenant: "t", outcome, name: "n", address: "::1", port: took, connectUs: took }, false);
    tally.mirrors.add({ ...COMPARISON, upstream, result: small as 0, rcode: small, latency_us: took });
  }
  return tally;
}

function read({ counts, latency: { latency: quantiles } }: CountTally) {
  return { counts, quantiles };
}

function readDetail(tally: DetailTally) {
  const { names, denied, audited, clients, zones, uniqueNames, uniqueClients, rcodes, types, transports } = tally;
  const { upstreams, connections, mirrors } = tally;
  return {
    tops: [names, denied, audited, clients, zones].map((list) => list.top(1000)),
    unique: [uniqueNames.estimate, uniqueClients.estimate],
    shares: [rcodes.list, types.list, transports.list],
    upstreams: [...upstreams].map(([name, { queries: count, failed, stale, latency: took, servers }]) => {
      const each = [...servers].map(([server, { answers, latency: theirs }]) => [server, answers, theirs.latency]);
      return [name, count, failed, stale, took.latency, each];
    }),
    connections: [connections.counts, connections.connectMs, connections.unreachable(1000), connections.refused(1000)],
    mirrors: [mirrors.upstreams, mirrors.differing(1000)],
  };
}

function repack<T extends CountTally | DetailTally>(tally: T, into: T): T {
  const packer = new Packer();
  tally.pack(packer);
  into.mergePacked(new Unpacker(packer.finish()));
  return into;
}

describe("what is packed", () => {
  it("has any whole number and any text in it", () => {
    const item = fc.oneof(
      fc.maxSafeNat(),
      fc.nat(300),
      fc.string({ unit: "binary" }),
      fc.constant("\xff".repeat(3000)),
    );
    const property = fc.property(fc.array(item), (items) => {
      const packer = new Packer();
      for (const each of items) typeof each === "number" ? packer.number(each) : packer.text(each);
      const unpacker = new Unpacker(packer.finish());
      const got = items.map((each) => (typeof each === "number" ? unpacker.number() : unpacker.text()));
      assert.deepEqual(got, items);
    });
    fc.assert(property, { seed: 1, numRuns: 50 });
  });

  it("reads as what it was", () => {
    const property = fc.property(queries, (some) => {
      assert.deepEqual(read(repack(countsOf(some), new CountTally())), read(countsOf(some)));
      assert.deepEqual(readDetail(repack(detailOf(some), new DetailTally(100))), readDetail(detailOf(some)));
    });
    fc.assert(property, { seed: 2 });
  });

  it("merges as what it was", () => {
    const property = fc.property(queries, queries, (some, others) => {
      const [counts, detail] = [countsOf(others), detailOf(others)];
      counts.merge(countsOf(some));
      detail.merge(detailOf(some));
      assert.deepEqual(read(repack(countsOf(some), countsOf(others))), read(counts));
      assert.deepEqual(readDetail(repack(detailOf(some), detailOf(others))), readDetail(detail));
    });
    fc.assert(property, { seed: 3 });
  });
});
