import assert from "node:assert/strict";
import { zoneOf } from "../../../extproc/dns/zone.ts";
import { LocalTelemetry } from "../../../extproc/telemetry/local-telemetry.ts";
import type { Packer, Unpacker } from "../../../extproc/telemetry/packing.ts";
import type { QueryRecord, Window } from "../../../extproc/telemetry/questions.ts";
import { USUAL_SETTINGS } from "../../../extproc/telemetry/settings.ts";
import { Timeline } from "../../../extproc/telemetry/timeline.ts";
import { TopList } from "../../../extproc/telemetry/top-list.ts";
import { hashText, UniqueCount } from "../../../extproc/telemetry/unique-count.ts";
import { batchOf, eventOf } from "./events.ts";

const MINUTE = 60_000;
const START = 1_764_000_000_000;

function wire(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  return Buffer.from(`${labels.map((label) => String.fromCharCode(label.length) + label).join("")}\0`, "latin1");
}

describe("a list of the most frequent", () => {
  it("is never too low, and says how much too high it may be, also when lists are merged", () => {
    const real = new Map<string, number>();
    const lists = [new TopList(20), new TopList(20)];
    let seed = 7;
    for (let i = 0; i < 20_000; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const key = `k${Math.floor(300 * (seed / 2 ** 32) ** 3)}`;
      real.set(key, (real.get(key) ?? 0) + 1);
      lists[i % 2]?.add(key, false);
    }
    const merged = new TopList(20);
    for (const list of lists) merged.merge(list);
    assert.ok(merged.size <= 40);
    const frequent = [...real].sort((a, b) => b[1] - a[1]).slice(0, 5);
    const top = merged.top(10);
    for (const [key] of frequent)
      assert.ok(
        top.some(([other]) => other === key),
        key,
      );
    for (const [key, { count, over }] of top) {
      const truth = real.get(key) ?? 0;
      assert.ok(count >= truth && count - over <= truth, `${key}: ${count} - ${over} is not ${truth}`);
    }
  });
});

describe("an estimate of different keys", () => {
  it("is right within a tenth, from few to many", () => {
    for (const size of [1, 10, 100, 1000, 10_000, 200_000]) {
      const halves = [new UniqueCount(), new UniqueCount()];
      for (let i = 0; i < size; i++) halves[i % 2]?.add(hashText(`name${i}.example`));
      for (let i = 0; i < size / 2; i++) halves[0]?.add(hashText(`name${i}.example`));
      const all = new UniqueCount();
      for (const half of halves) all.merge(half);
      assert.ok(Math.abs(all.estimate - size) <= size * 0.1, `${all.estimate} for ${size}`);
    }
    assert.equal(new UniqueCount().estimate, 0);
  });
});

class Sum {
  sum = 0;

  merge({ sum }: Sum): void {
    this.sum += sum;
  }

  pack(to: Packer): void {
    to.number(this.sum);
  }

  mergePacked(from: Unpacker): void {
    this.sum += from.number();
  }
}

describe("a timeline", () => {
  it("loses nothing while cells grow coarser, until they are too old", () => {
    const resolutions = [
      { milliseconds: 10, cells: 3 },
      { milliseconds: 30, cells: 4 },
      { milliseconds: 120, cells: 5 },
    ];
    const make = () => new Timeline(resolutions, () => new Sum());
    for (const step of [1, 7, 10, 45, 300]) {
      const timeline = make();
      const times: number[] = [];
      for (let now = 1000; now < 4000; now += step) {
        timeline.at(now).sum++;
        times.push(now);
        for (const window of [30, 120, 600]) {
          const level = resolutions.find(({ milliseconds, cells }) => milliseconds * cells >= window);
          const unit = level?.milliseconds ?? 1;
          const from = now - (now % unit) - window;
          const expected = times.filter((time) => time - (time % unit) >= from).length;
          const got = timeline.read(now, window).reduce((sum, { content }) => sum + content.sum, 0);
          assert.equal(got, expected, `step ${step}, at ${now}, window ${window}`);
          const all = new Sum();
          assert.equal(timeline.sum(now, window, all), expected > 0);
          assert.equal(all.sum, expected);
        }
      }
      assert.ok(timeline.cells <= 12);
      assert.deepEqual(timeline.read(10_000, 600), []);
      assert.equal(timeline.cells, 0);
      assert.ok(timeline.isEmpty(10_000));
    }
  });
});

describe("zones of names", () => {
  it("are two labels, three under a country's second level, a namespace of Kubernetes", () => {
    const cases = {
      "": "",
      com: "com",
      "example.com": "example.com",
      "a.b.example.com": "example.com",
      "www.shop.co.uk": "shop.co.uk",
      "web.shop.svc.cluster.local": "shop.svc.cluster.local",
      "x.web.shop.svc.cluster.local": "shop.svc.cluster.local",
    };
    for (const [name, zone] of Object.entries(cases)) {
      assert.equal(zoneOf(wire(name).toString("latin1")), wire(zone).toString("latin1"), name);
    }
  });
});

describe("telemetry", () => {
  let now: number;
  let telemetry: LocalTelemetry;
  beforeEach(() => {
    now = START;
    telemetry = new LocalTelemetry({ now: () => now });
  });
  const take = (...events: Parameters<typeof eventOf>[0][]) => {
    let lines: readonly string[] = [];
    telemetry.take(batchOf(...events.map(eventOf)), "east", (logged) => {
      lines = logged;
    });
    return lines;
  };
  const forwarded = { outcome: 0, policy: "", rule: "", rcode: 0, ede: 0, logged: false } as const;

  it("sums up by tenant and window", async () => {
    take(
      {},
      { ...forwarded, cache: 1 },
      {
        ...forwarded,
        ...{ cache: 2, upstream: "public", upstream_us: 900, upstream_server: "up/public/1", latency_us: 1000 },
      },
    );
    now += 10 * MINUTE;
    take({ tenant: "backend", ...forwarded, client: Buffer.from([127, 0, 2, 1]) });
    telemetry.lost(3);
    const all = await telemetry.ask("overview", { window: "15m" });
    assert.equal(all.all.queries, 4);
    assert.deepEqual(
      all.tenants.map(({ tenant, queries, denied, hits, misses }) => [tenant, queries, denied, hits, misses]),
      [
        ["frontend", 3, 1, 1, 1],
        ["backend", 1, 0, 0, 0],
      ],
    );
    assert.equal(all.lost, 3);
    assert.equal(all.all.uniqueClients, 2);
    assert.deepEqual(all.all.rcodes, [
      { key: "NOERROR", count: 3 },
      { key: "NXDOMAIN", count: 1 },
    ]);
    const last = await telemetry.ask("overview", { window: "1m" });
    assert.equal(last.all.queries, 1);
    const one = await telemetry.ask("overview", { window: "7d", tenant: "frontend" });
    assert.equal(one.all.queries, 3);
    const latency = one.all.latencyMs;
    assert.ok(
      latency && Math.abs(latency.max - 1) < 1e-9 && Math.abs(latency.p50 - 0.12) < 0.01,
      JSON.stringify(latency),
    );
    const { upstreams } = await telemetry.ask("upstreams", { window: "1h" });
    assert.deepEqual(
      upstreams.map(({ upstream, queries, share }) => [upstream, queries, share]),
      [["public", 1, 1]],
    );
    const [server, ...others] = upstreams[0]?.servers ?? [];
    assert.deepEqual([server?.cluster, server?.answers, server?.share, others], ["up/public/1", 1, 1, []]);
    now += 8 * 24 * 60 * MINUTE;
    assert.equal((await telemetry.ask("overview", { window: "7d" })).all.queries, 0);
  });

  it("counts what had no question that could be read", async () => {
    const { qname: _, ...unreadable } = eventOf({ ...forwarded, outcome: 2, rcode: 1 });
    telemetry.take(batchOf(unreadable, eventOf()), "east", () => {});
    const { all } = await telemetry.ask("overview", { window: "1m" });
    assert.deepEqual([all.queries, all.rejected, all.uniqueNames], [2, 1, 1]);
  });

  it("compares with as much time before, when there was so much", async () => {
    const trendOf = async (window: Window, tenant?: string) =>
      (await telemetry.ask("overview", { window, ...(tenant === undefined ? {} : { tenant }) })).trend;
    for (let second = 0; second < 60; second++) {
      take({}, { ...forwarded, tenant: "backend" });
      now += 1000;
    }
    assert.equal(await trendOf("1m"), undefined);
    for (let second = 0; second < 60; second++) {
      take({}, {}, forwarded);
      now += 1000;
    }
    // Of a cell that is not over.
    take({}, {});
    const rest = { failed: 0, wouldDeny: 0 };
    assert.deepEqual(await trendOf("1m"), {
      last: { queries: 180, denied: 120, ...rest },
      before: { queries: 120, denied: 60, ...rest },
    });
    assert.deepEqual(await trendOf("1m", "backend"), {
      last: { queries: 0, denied: 0, ...rest },
      before: { queries: 60, denied: 0, ...rest },
    });
    assert.equal(await trendOf("15m"), undefined);
    now += 20 * 24 * 60 * MINUTE;
    assert.equal(await trendOf("7d"), undefined);
    assert.notEqual(await trendOf("24h"), undefined);
  });

  it("draws columns of one length, whose sums are the window's", async () => {
    for (let i = 0; i < 30; i++) {
      take({}, forwarded);
      now += 30_000;
    }
    for (const window of ["15m", "1h", "6h", "24h", "7d"] as const) {
      const series = await telemetry.ask("series", { window, limit: 10 });
      const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
      assert.equal(sum(series.all.queries), 60, window);
      assert.equal(sum(series.tenants[0]?.denied ?? []), 30, window);
      for (const column of Object.values(series.all)) assert.equal(column.length, series.times.length);
      assert.equal((series.times[1] ?? 0) - (series.times[0] ?? 0), series.stepSeconds);
    }
  });

  it("lists names, denied names, clients and zones, and rules with the time of their last hit", async () => {
    const ads = wire("ADS.example.com");
    take({ qname: ads }, { qname: wire("ads.example.com") }, { ...forwarded, qname: wire("x.example.org") });
    take({ ...forwarded, qname: wire("y.example.org"), audits: [{ policy: "trial", rule: "no-org", action: 1 }] });
    const top = async (of: "names" | "denied" | "audited" | "clients" | "zones") =>
      (await telemetry.ask("top", { window: "1m", of, limit: 10 })).items.map(({ key, count }) => `${key} ${count}`);
    assert.deepEqual(await top("names"), ["ads.example.com. 2", "x.example.org. 1", "y.example.org. 1"]);
    assert.deepEqual(await top("denied"), ["ads.example.com. 2"]);
    assert.deepEqual(await top("audited"), ["y.example.org. 1"]);
    assert.deepEqual(await top("clients"), ["127.0.1.1 4"]);
    assert.deepEqual(await top("zones"), ["example.com. 2", "example.org. 2"]);
    const { edges } = await telemetry.ask("map", { window: "1m", limit: 10 });
    assert.deepEqual(edges[0], { tenant: "frontend", zone: "example.com.", queries: 2, denied: 2 });
    const { rules } = await telemetry.ask("rules", {});
    const last = new Date(START).toISOString();
    assert.deepEqual(rules, [
      { policy: "no-com", rule: "deny-com", hits: 2, audited: 0, last },
      { policy: "trial", rule: "no-org", hits: 0, audited: 1, last },
    ]);
  });

  it("tells tenants beyond its bound together, and forgets nobody's queries", async () => {
    take(...Array.from({ length: 200 }, (_, index) => ({ tenant: `t${index}`, ...forwarded })));
    const { all, tenants } = await telemetry.ask("overview", { window: "1m" });
    assert.equal(all.queries, 200);
    assert.equal(tenants.length, 65);
    assert.equal(tenants[0]?.tenant, "other");
    assert.equal(tenants[0]?.queries, 200 - 64);
  });

  it("shows queries as they come to whoever wants these", () => {
    const seen: QueryRecord[] = [];
    let lost = 0;
    const listener = (queries: readonly string[], skipped: number) => {
      seen.push(...queries.map((query) => JSON.parse(query) as QueryRecord));
      lost += skipped;
    };
    const stops = [
      telemetry.watch({ name: "*.EXAMPLE.com", client: "127.0.0.0/16", type: "aaaa", verdict: "denied" }, listener),
      telemetry.watch({ tenant: "backend" }, listener),
      telemetry.watch({ rule: "no-com/other" }, listener),
    ];
    take({}, forwarded, { client: Buffer.from([10, 0, 0, 1]) }, { qname: wire("example.com") }, { qtype: 1 });
    assert.deepEqual(
      seen.map(({ qname, outcome }) => [qname, outcome]),
      [["www.example.com.", "denied"]],
    );
    take(...Array.from({ length: 2500 }, () => ({ tenant: "backend", client: Buffer.from([10, 0, 0, 1]) })));
    assert.equal(seen.length, 2001);
    assert.equal(lost, 500);
    for (const stop of stops) stop();
    take({});
    assert.equal(seen.length, 2001);
  });

  it("says who asked: the certificate's principal, and the pod that has the address by then", () => {
    const recordOf = (event: Parameters<typeof eventOf>[0]) => {
      const { principal, namespace, workload, flags } = JSON.parse(take(event)[0] ?? "") as QueryRecord;
      return { principal, namespace, workload, flags };
    };
    const address = Uint8Array.of(127, 0, 1, 1);
    const one = { address, namespace: "web", workload: "shop-1" };
    const tell = telemetry.followClients(() => [one]);
    const shown = { principal: "spiffe://cluster.local/ns/web/sa/shop", flags: 0x8000 | 0x0400 | 0x0010 };
    const nobody = { principal: undefined, namespace: undefined, workload: undefined, flags: undefined };
    assert.deepEqual(recordOf(shown), { ...shown, flags: "do aa cd", namespace: "web", workload: "shop-1" });
    assert.deepEqual(recordOf({ client: Buffer.from([127, 0, 1, 2]) }), nobody);
    tell([{ ...one, workload: "shop-2" }]);
    assert.equal(recordOf({}).workload, "shop-2");
    tell([{ address, namespace: "", workload: "" }]);
    assert.deepEqual(recordOf({}), nobody);
  });

  it("knows less of a tenant's queries where it wants that", async () => {
    telemetry.configure({
      ...USUAL_SETTINGS,
      tenants: { frontend: { clients: "Network", names: "Hashed", keepMs: 0 } },
    });
    telemetry.followClients(() => [{ address: Uint8Array.of(127, 0, 1, 1), namespace: "web", workload: "shop-1" }]);
    const answers = Buffer.from([4, 192, 0, 2, 1]);
    const principal = "spiffe://cluster.local/ns/web/sa/shop";
    const lines = take(
      { answers, principal },
      { answers, qname: wire("WWW.example.com") },
      { tenant: "backend", answers, principal },
    );
    const [first, second, other] = lines.map((line) => JSON.parse(line) as QueryRecord);
    assert.equal(first?.client, "127.0.1.0");
    assert.deepEqual([first.principal, first.namespace, first.workload], [undefined, undefined, undefined]);
    assert.deepEqual([other?.principal, other?.namespace, other?.workload], [principal, "web", "shop-1"]);
    assert.match(first.qname, /^hash-[0-9a-f]{20}\.$/);
    assert.equal(first.qname, second?.qname);
    assert.equal(first.answers, undefined);
    assert.deepEqual([other?.qname, other?.client, other?.answers], ["www.example.com.", "127.0.1.1", ["192.0.2.1"]]);
    const { items } = await telemetry.ask("top", { window: "1m", of: "names", tenant: "frontend", limit: 5 });
    assert.deepEqual(items, [{ key: first.qname, count: 2, over: 0 }]);
  });
});
