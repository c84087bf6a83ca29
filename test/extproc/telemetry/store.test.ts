import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { toQueryRecord } from "../../../extproc/telemetry/query-record.ts";
import { QueryStore } from "../../../extproc/telemetry/query-store.ts";
import type { QueryFilter } from "../../../extproc/telemetry/questions.ts";
import { startTelemetry } from "../../../extproc/telemetry/thread.ts";
import { batchOf, eventOf, readEvent } from "./events.ts";

const DAY = 86_400_000;
const START = 1_700_000_000_000;
/** Columns that came with a later version. */
const LATER = ["identity", "flags", "rewritten", "decision_us"];

describe("the store of past queries", function () {
  this.timeout(60_000);
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-store-"));
    path = join(folder, "queries.db");
  });
  afterEach(() => rm(folder, { recursive: true }));
  const open = (more = {}) => QueryStore.open({ path, keepMs: 30 * DAY, maxBytes: 2 ** 30, ...more });

  const EVENTS = [
    { cache: 1, answers: Buffer.from([4, 192, 0, 2, 1]), upstream: "public", upstream_us: 77, outcome: 0 },
    { tenant: "backend", client: Buffer.from([127, 0, 2, 1]), audits: [{ policy: "a", rule: "b", action: 1 }] },
    {
      client: Buffer.from("20010db8000000000000000000000001", "hex"),
      principal: "spiffe://mesh/ns/web/sa/o'brien",
      namespace: "web",
      workload: "front-7d9f",
      flags: 0x8180,
      rewritten: Buffer.from("\x05other\x03org\0", "latin1"),
      decision_us: 815,
      qtype: 65280,
      policy: "",
      rule: "",
    },
    { qname: Buffer.from("\x0550%_!\x04'\"\n;\x00", "latin1") },
  ] as const;

  async function fill(store: QueryStore): Promise<void> {
    for (const [index, event] of EVENTS.entries()) {
      store.append(readEvent(eventOf({ ...event, time_us: (START + index * 1000) * 1000 } as never)));
    }
    store.flush();
  }

  it("gives back what it was given, newest first, a page at a time, also to another process", async () => {
    const first = await open();
    await fill(first);
    first.close();
    const store = await open();
    const wanted = EVENTS.map((event, index) =>
      JSON.parse(
        JSON.stringify(
          toQueryRecord(readEvent(eventOf({ ...event, time_us: (START + index * 1000) * 1000 } as never))),
        ),
      ),
    ).reverse();
    assert.deepEqual((await store.search({ limit: 100 })).queries, wanted);
    const page = await store.search({ limit: 3 });
    assert.deepEqual(page.queries, wanted.slice(0, 3));
    assert.ok(page.next);
    const rest = await store.search({ limit: 3, cursor: page.next });
    assert.deepEqual(rest, { queries: wanted.slice(3) });
    assert.equal(await store.count(), 4);
    store.close();
  });

  it("finds what fits, and takes nothing that is asked for as SQL", async () => {
    const store = await open();
    await fill(store);
    const cases: [QueryFilter & { since?: number; until?: number }, number][] = [
      [{ tenant: "backend" }, 1],
      [{ tenant: "' OR 1=1 --" }, 0],
      [{ verdict: "denied" }, 3],
      [{ type: "AAAA" }, 3],
      [{ type: "type65280" }, 1],
      [{ type: "nonsense" }, 0],
      [{ rule: "no-com" }, 3],
      [{ rule: "no-com/deny-com" }, 3],
      [{ rule: "no-com/other" }, 0],
      [{ name: "WWW.example.com" }, 3],
      [{ name: "*.com" }, 3],
      [{ name: "*.net" }, 0],
      [{ name: "*.com." }, 3],
      [{ name: "www*" }, 3],
      [{ name: "50%_!*" }, 1],
      [{ name: "50%%!*" }, 0],
      [{ client: "127.0.0.0/8" }, 3],
      [{ client: "127.0.2.1" }, 1],
      [{ client: "2001:db8::/32" }, 1],
      [{ client: "0.0.0.0/0" }, 3],
      [{ since: START + 1000, until: START + 3000 }, 2],
    ];
    for (const [filter, count] of cases) {
      assert.equal((await store.search({ ...filter, limit: 10 })).queries.length, count, JSON.stringify(filter));
    }
    store.close();
  });

  for (const [what, missing] of [
    ["hashes of names, and who clients are", ["name_hash", ...LATER]],
    ["who clients are", LATER],
  ] as const) {
    it(`opens a store of an earlier version, which had not ${what}, and goes on in it`, async () => {
      const first = await open();
      await fill(first);
      const wanted = (await first.search({ limit: 10 })).queries;
      first.close();
      const instance = await DuckDBInstance.create(path);
      const connection = await instance.connect();
      for (const column of missing) await connection.run(`ALTER TABLE queries DROP COLUMN ${column}`);
      connection.closeSync();
      instance.closeSync();
      for (let opened = 0; opened < 2; opened++) {
        const store = await open();
        if (opened === 0) await fill(store);
        for (const query of wanted) {
          const { principal, namespace, workload, flags, rewritten, decision_us, ...old } = query;
          const { queries } = await store.search({ limit: 10, name: query.qname, client: query.client });
          assert.deepEqual(queries, [query, old], query.qname);
        }
        store.close();
      }
    });
  }

  it("lets go of what is too old, sooner for who wants that, and of the oldest where there is too much", async () => {
    const store = await open();
    await fill(store);
    const later = START + 10 * DAY;
    await store.expire(later, { backend: 9 * DAY });
    assert.equal(await store.count(), 3);
    await store.expire(later, {});
    assert.equal(await store.count(), 3);
    await store.expire(START + 30 * DAY + 500, {});
    assert.equal(await store.count(), 2);
    store.close();
    const small = await open({ maxBytes: 1 });
    for (let i = 0; i < 100; i++) small.append(readEvent(eventOf({ time_us: (later + i) * 1000 })));
    await small.expire(later, {});
    const left = await small.count();
    assert.ok(left > 80 && left < 100, `${left}`);
    const { queries } = await small.search({ limit: 1000 });
    assert.ok(
      queries.every(({ time }) => Date.parse(time) > START + DAY),
      "the oldest went",
    );
    small.close();
  });

  it("loses nothing of what comes while rows are deleted", async () => {
    const store = await open();
    await fill(store);
    for (let round = 0; round < 20; round++) {
      const old = { tenant: "backend", time_us: (START - 40 * DAY) * 1000 };
      for (let i = 0; i < 50; i++) store.append(readEvent(eventOf(old)));
      const busy = round % 2 === 0 ? store.expire(START, {}) : store.erase({ tenant: "backend" });
      for (let i = 0; i < 50; i++) {
        store.append(readEvent(eventOf({ time_us: START * 1000 })));
        if (i % 10 === 0) store.flush();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await busy;
    }
    assert.equal(await store.count({ tenant: "frontend" }), 3 + 20 * 50);
    assert.equal(await store.count({ tenant: "backend" }), 0);
    store.close();
  });

  it("erases for good: the file has nothing of it", async () => {
    const store = await open();
    const secret = "very-secret-name-of-somebody";
    const qname = Buffer.concat([Buffer.from([secret.length]), Buffer.from(`${secret}\0`, "latin1")]);
    const whose = {
      client: Buffer.from([10, 0, 0, 1]),
      principal: "spiffe://mesh/ns/web/sa/somebody",
      workload: "pod-of-somebody",
    };
    for (let i = 0; i < 3000; i++) store.append(readEvent(eventOf({ qname, ...whose })));
    await fill(store);
    store.close();
    const words = [secret, whose.principal, whose.workload];
    const there = await readFile(path);
    for (const word of words) assert.ok(there.includes(word), word);
    const again = await open();
    assert.equal(await again.erase({ client: "10.0.0.0/24" }), 3000);
    assert.equal(await again.count(), 4);
    await fill(again);
    assert.equal(await again.count(), 8);
    again.close();
    const left = await readFile(path);
    for (const word of words) assert.ok(!left.includes(word), `${word} is still in the file`);
  });

  it("is another program's while it is open there", async () => {
    const thread = await startTelemetry({
      store: { path, keepMs: DAY, maxBytes: 2 ** 30 },
      onTrouble: () => {},
      after: () => () => {},
    });
    const child = fork(fileURLToPath(new URL("store-opener.ts", import.meta.url)), [path], {
      execArgv: ["--import", "tsx"],
    });
    const message = await new Promise((resolve) => child.once("message", resolve));
    assert.match(String(message), /lock/i);
    await thread.close();
  });
});

describe("the telemetry thread", function () {
  this.timeout(60_000);

  it("counts, answers and shows as telemetry on one's own thread does, and is started anew when it dies", async () => {
    const troubles: string[] = [];
    const after = (_: number, task: () => void) => {
      setImmediate(task);
      return () => {};
    };
    const thread = await startTelemetry({ onTrouble: (message) => troubles.push(message), after });
    try {
      const seen: string[] = [];
      thread.watch({ tenant: "frontend" }, (queries) => seen.push(...queries));
      const lines = await new Promise<readonly string[]>((resolve) =>
        thread.take(batchOf(eventOf(), eventOf({ tenant: "backend", logged: false })), "east", resolve),
      );
      assert.equal(lines.length, 1);
      thread.lost(2);
      thread.configure({ events: "All", tenants: {} });
      const overview = await thread.ask("overview", { window: "1m" });
      assert.deepEqual([overview.all.queries, overview.lost, overview.events, overview.store], [2, 2, "All", false]);
      assert.equal(seen.length, 1);
      await assert.rejects(thread.ask("search", { limit: 1 }), { name: "NoStoreError" });
      assert.deepEqual(await new Promise((resolve) => thread.take(Buffer.from([0xff]), "east", resolve)), []);
      assert.match(troubles.join(), /a batch of events is lost/);
    } finally {
      await thread.close();
    }
  });

  it("does not start without the store that it is to have", async () => {
    const store = { path: "/nonexistent/q.db", keepMs: DAY, maxBytes: 1 };
    await assert.rejects(startTelemetry({ store, onTrouble: () => {}, after: () => () => {} }), /nonexistent/);
  });
});
