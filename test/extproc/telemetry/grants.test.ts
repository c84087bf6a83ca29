import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { presentName } from "../../../extproc/dns/names.ts";
import type { QueryEvent } from "../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { GrantJournal } from "../../../extproc/telemetry/grant-journal.ts";
import { Grants } from "../../../extproc/telemetry/grants.ts";
import { LocalTelemetry } from "../../../extproc/telemetry/local-telemetry.ts";
import { batchOf, eventOf, readEvent } from "./events.ts";

const FORWARDED = 0;
const ADDRESS = Buffer.from([192, 0, 2, 1]);
const SIXTEEN = Buffer.from("20010db8000000000000000000000001", "hex");
const withLength = (...addresses: Buffer[]) =>
  Buffer.concat(addresses.flatMap((each) => [Buffer.from([each.length]), each]));

function answered(changes: QueryEvent = {}) {
  return readEvent(answer(changes));
}

function answer(changes: QueryEvent = {}): QueryEvent {
  return eventOf({
    outcome: FORWARDED,
    rcode: 0,
    answers: withLength(ADDRESS),
    ttl: 60,
    policy: "",
    rule: "",
    ...changes,
  });
}

describe("what connections are allowed by", () => {
  let grants: Grants;
  beforeEach(() => {
    grants = new Grants();
  });
  const names = (tenant: string, address: Buffer, now: number) =>
    grants.namesOf(tenant, address, now).map(({ qname }) => presentName(qname));

  it("is the addresses of an answer, for its TTL and the grace, to its tenant", () => {
    grants.add(answered({ answers: withLength(ADDRESS, SIXTEEN) }), 30_000, 1000);
    for (const address of [ADDRESS, SIXTEEN]) {
      assert.deepEqual(names("frontend", address, 1000), ["www.example.com."]);
      assert.deepEqual(names("frontend", address, 90_999), ["www.example.com."]);
      assert.deepEqual(names("frontend", address, 91_000), []);
      assert.deepEqual(names("backend", address, 1000), []);
    }
    assert.deepEqual(names("frontend", Buffer.from([192, 0, 2, 2]), 1000), []);
  });

  it("is no denial, whatever it was answered with, and nothing of who is no tenant", () => {
    for (const outcome of [1, 2, 3, 4, 6] as const) grants.add(answered({ outcome }), 0, 0);
    grants.add(answered({ tenant: "" }), 0, 0);
    grants.add(answered({ answers: Buffer.alloc(0) }), 0, 0);
    assert.equal(grants.size, 0);
    grants.add(answered({ outcome: 5 }), 0, 0);
    assert.equal(grants.size, 1);
  });

  it("is as good as the longest answer was, not the last", () => {
    grants.add(answered({ ttl: 60 }), 0, 0);
    grants.add(answered({ ttl: 10, qname: Buffer.from("\x03WWW\x07example\x03com\x00", "latin1") }), 0, 10_000);
    assert.deepEqual(names("frontend", ADDRESS, 59_000), ["www.example.com."]);
    assert.deepEqual(names("frontend", ADDRESS, 60_000), []);
  });

  it("has all names of an address, the last that was told first, and 16 at most", () => {
    for (let number = 0; number < 20; number++) {
      grants.add(answered({ qname: Buffer.from(`\x02${10 + number}\x00`, "latin1") }), 0, 0);
    }
    const found = names("frontend", ADDRESS, 0);
    assert.equal(found.length, 16);
    assert.deepEqual([found[0], found[15]], ["29.", "14."]);
  });

  it("is bounded: who has most loses what was told longest ago", () => {
    grants = new Grants({ maxAddresses: 10 });
    const tell = (tenant: string, last: number) =>
      grants.add(answered({ tenant, answers: withLength(Buffer.from([10, 0, 0, last])) }), 0, 0);
    for (let last = 1; last <= 3; last++) tell("small", last);
    for (let last = 1; last <= 100; last++) tell("large", last);
    assert.equal(grants.size, 10);
    for (let last = 1; last <= 3; last++) assert.equal(names("small", Buffer.from([10, 0, 0, last]), 0).length, 1);
    assert.equal(names("large", Buffer.from([10, 0, 0, 93]), 0).length, 0);
    assert.equal(names("large", Buffer.from([10, 0, 0, 94]), 0).length, 1);
  });

  it("is forgotten when its time is over", () => {
    grants.add(answered(), 0, 0);
    grants.add(answered({ ttl: 120, answers: withLength(SIXTEEN) }), 0, 0);
    grants.expire(60_000);
    assert.equal(grants.size, 1);
    grants.expire(120_000);
    assert.equal(grants.size, 0);
  });

  describe("in a file", () => {
    let folder: string;
    let path: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
      path = join(folder, "grants.jsonl");
    });
    afterEach(() => rm(folder, { recursive: true }));
    const hidden = { clients: "Full", names: "Hashed", keepMs: 0 } as const;
    const open = (now = 0) => {
      const telemetry = new LocalTelemetry({ now: () => now, grantJournal: GrantJournal.open(path) });
      telemetry.configure({ events: "All", tenants: { hidden }, graceMs: 0 });
      return telemetry;
    };
    const lines = async () => (await readFile(path, "utf8")).split("\n").length - 1;
    const known = async (telemetry: LocalTelemetry, tenant = "frontend") =>
      (await telemetry.ask("granted", { tenant, address: ADDRESS })).map(({ qname }) => presentName(qname));

    it("outlives the service, but for names that are not to be known", async () => {
      const before = open();
      before.take(batchOf(answer(), answer({ tenant: "hidden" })), "envoy", () => {});
      assert.deepEqual(await known(before, "hidden"), ["www.example.com."]);
      await before.close();
      const after = open(59_000);
      assert.deepEqual(await known(after), ["www.example.com."]);
      assert.deepEqual(await known(after, "hidden"), []);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      await after.close();
      await open(60_000).close();
      assert.equal(await lines(), 0);
    });

    it("has a line for each that is new or lasts longer, and is written anew when most of it is past", async () => {
      const telemetry = open();
      for (const ttl of [60, 55, 61, 64, 65, 66]) telemetry.take(batchOf(answer({ ttl })), "envoy", () => {});
      await telemetry.close();
      assert.equal(await lines(), 2);
      const { journal } = GrantJournal.open(path);
      const grant = {
        tenant: "a",
        address: "\x01\xff\x00\x02",
        name: "\x01\xe4\x00",
        qtype: 1,
        transport: 0,
        until: 1,
      };
      const all = () => [grant];
      journal.rewrite(all);
      for (let times = 0; times < 10_002; times++) journal.add(grant);
      journal.flush(all, 1);
      assert.equal(await lines(), 10_003 - 10_002);
      for (let times = 0; times < 10; times++) journal.add(grant);
      journal.flush(all, 1);
      assert.equal(await lines(), 11);
      journal.forget();
      journal.flush(() => [], 0);
      assert.equal(await lines(), 0);
      journal.close();
    });

    it("loses no more than a line that was left half done, and takes no other file for its own", async () => {
      const telemetry = open();
      telemetry.take(batchOf(answer()), "envoy", () => {});
      await telemetry.close();
      await appendFile(path, '["frontend","x');
      const again = open();
      assert.deepEqual(await known(again), ["www.example.com."]);
      await again.close();
      assert.equal(await lines(), 1);
      for (const text of ["[]\n", '["a","b","c",1,2,"3"]\n', "query log\n"]) {
        await writeFile(path, text);
        assert.throws(() => GrantJournal.open(path), /line 1: expected tenant, address, name, .* got /);
      }
    });

    it("goes when nothing asks for connections any more", async () => {
      const telemetry = open();
      telemetry.take(batchOf(answer()), "envoy", () => {});
      telemetry.configure({ events: "All", tenants: {} });
      await telemetry.close();
      assert.equal(await lines(), 0);
    });
  });

  it("is known of tenants that hide their names, and of nobody where nothing asks for it", async () => {
    const privacy = { clients: "None", names: "Hashed", keepMs: 0 } as const;
    const telemetry = new LocalTelemetry({ now: () => 0 });
    const settings = { events: "All", tenants: { frontend: privacy } } as const;
    const asks = { tenant: "frontend", address: ADDRESS };
    telemetry.configure({ ...settings, graceMs: 0 });
    telemetry.take(batchOf(answer()), "envoy", () => {});
    const [granted] = await telemetry.ask("granted", asks);
    assert.equal(presentName(granted?.qname ?? Buffer.alloc(0)), "www.example.com.");
    telemetry.configure(settings);
    telemetry.take(batchOf(answer()), "envoy", () => {});
    assert.deepEqual(await telemetry.ask("granted", asks), []);
  });
});
