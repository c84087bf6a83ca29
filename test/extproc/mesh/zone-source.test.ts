/**
 * A zone of a real BIND as a source of names of the mesh: fetched whole, then by changes, and gone when it expires.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { MeshSourceReference } from "../../../extproc/compiled/mesh-source-reference.ts";
import { Catalogs } from "../../../extproc/mesh/catalogs/catalogs.ts";
import { contentOf } from "../../../extproc/mesh/names/entry.ts";
import { NameTable } from "../../../extproc/mesh/names/name-table.ts";
import { wireOf } from "../../../extproc/mesh/names/wire.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { KEY_NAME, type Named, startNamed } from "../lists/named.ts";
import { presentRecord } from "./present-record.ts";

const ZONE = "cloud.example";
const RECORDS = `db 300 A 10.20.0.1
db 300 A 10.20.0.2
db 30 AAAA fd00:20::1
Api CNAME db
_sql._tcp 120 SRV 1 5 5432 db
a.b.deep A 10.20.0.3
*.apps A 10.20.0.4
note TXT "two" "texts"
mail MX 10 db
away NS ns.away
ns.away A 10.20.0.9
other DNAME elsewhere.example.
`;
const DAY = 86_400_000;

describe("mesh: a zone as a source of names", function () {
  this.timeout(60_000);
  let directory = "";
  let named: Named;
  let catalogs: Catalogs;
  let table: NameTable;
  let problems: string[];
  /** By which the clock is ahead. */
  let ahead = 0;

  before(function () {
    if (!existsSync("/usr/sbin/named")) this.skip();
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "zone-source-"));
    ahead = 0;
    named = await startNamed({
      directory: join(directory, "bind"),
      zone: ZONE,
      records: RECORDS,
      expire: (3 * DAY) / 1000,
    });
    open();
  });
  afterEach(async () => {
    catalogs.close();
    await named.stop();
    await rm(directory, { recursive: true });
  });

  function open(): void {
    problems = [];
    catalogs = new Catalogs({
      now: () => Date.now() + ahead,
      after: (milliseconds, task) => void setTimeout(task, milliseconds / 20).unref(),
      directory: join(directory, "zones"),
      onProblem: (fields) => problems.push(JSON.stringify(fields)),
    });
    table = NameTable.of(new ObjectStore(), {
      clusterDomain: "cluster.local",
      ttl: 5,
      addressesOf: () => [],
      catalogs,
    });
    catalogs.listen((name, keys) => table.changeCatalog(name, catalogs.get(name), keys));
  }

  const reference = (more: Partial<MeshSourceReference> = {}): MeshSourceReference => ({
    name: "other-cloud",
    namespace: "cloud",
    exportTo: [],
    transfer: {
      primaries: [{ address: "127.0.0.1", port: named.port }],
      zone: ZONE,
      tsig: { name: KEY_NAME, algorithm: "hmac-sha256", secretFile: named.secretFile },
    },
    ...more,
  });

  /** TTL and records of a name, and whose it is; undefined for one that is not there. */
  function at(name: string, wildcard = false) {
    const [entry, ...others] = table.entriesAt(wireOf(`${name}.${ZONE}`), wildcard);
    assert.deepEqual(others, []);
    if (entry === undefined) return undefined;
    const { ttl, records } = contentOf(entry);
    return { ttl, records: records.map(presentRecord).sort(), group: entry.group.key };
  }

  async function until(condition: () => boolean): Promise<void> {
    for (let tries = 0; !condition(); tries++) {
      assert.ok(tries < 400, `nothing came of it: ${JSON.stringify(catalogs.status())}`);
      await pause(25);
    }
  }

  it("has the records that names of the mesh can have, with their TTLs", async () => {
    await catalogs.follow([reference()]);
    const group = "cloud|*";
    assert.deepEqual(at("db"), { ttl: 30, records: ["A 10.20.0.1", "A 10.20.0.2", "AAAA fd00:20::1"], group });
    assert.deepEqual(at("api"), { ttl: 60, records: ["CNAME db.cloud.example"], group });
    assert.deepEqual(at("_sql._tcp")?.records, ["SRV 1 5 5432 db.cloud.example"]);
    assert.deepEqual(at("note")?.records, ["TXT two texts"]);
    assert.deepEqual(at("apps", true)?.records, ["A 10.20.0.4"]);
    // Names that have nothing themselves are there, and so are those of types that nobody is told.
    for (const name of ["apps", "b.deep", "deep", "_tcp", "mail"]) assert.deepEqual(at(name)?.records, [], name);
    // What is another zone's is not.
    for (const name of ["away", "ns.away", "other", "none"]) assert.equal(at(name), undefined, name);
    const [status] = catalogs.status();
    assert.deepEqual([status?.serial, status?.error, status?.names], [1, "", 12]);
    assert.match(status?.from ?? "", /^zone cloud\.example of 127\.0\.0\.1 port \d+$/);
  });

  it("is changed as it changes, when it says so", async () => {
    await catalogs.follow([reference()]);
    await named.update(
      `add new.${ZONE}. 60 A 10.20.1.1`,
      `delete db.${ZONE}. A 10.20.0.1`,
      `delete a.b.deep.${ZONE}. A`,
    );
    assert.equal(catalogs.notify("elsewhere.example", "127.0.0.1"), false);
    assert.equal(catalogs.notify(ZONE, "127.0.0.2"), false);
    assert.equal(catalogs.notify(ZONE, "127.0.0.1"), true);
    await until(() => at("new") !== undefined);
    assert.deepEqual(at("db")?.records, ["A 10.20.0.2", "AAAA fd00:20::1"]);
    assert.deepEqual([at("a.b.deep"), at("b.deep"), at("deep")], [undefined, undefined, undefined]);
    assert.deepEqual(named.transfers(), { whole: 1, changes: 1 });
    // A cut takes what is below it away.
    await named.update(`add apps.${ZONE}. 60 NS ns.elsewhere.example.`);
    catalogs.notify(ZONE, "127.0.0.1");
    await until(() => at("apps") === undefined);
    assert.equal(at("apps", true), undefined);
  });

  it("is others' when the policy says so, without being fetched again", async () => {
    await catalogs.follow([reference()]);
    await catalogs.follow([reference({ namespace: "shared", exportTo: ["web", "."] })]);
    assert.equal(at("db")?.group, "shared|shared,web");
    await until(() => named.transfers().whole > 0);
    assert.deepEqual(named.transfers(), { whole: 1, changes: 0 });
    await catalogs.follow([]);
    assert.equal(at("db"), undefined);
    assert.equal(
      [...table.groups()].some(({ entries, wildcards }) =>
        /cloud|shared/.test([...entries.keys(), ...wildcards.keys()].join()),
      ),
      false,
    );
  });

  it("stays while no primary answers, over a restart, until it expires", async () => {
    await catalogs.follow([reference()]);
    await named.stop();
    ahead = 2 * DAY;
    await until(() => problems.length > 0);
    assert.match(problems[0] ?? "", /ECONNREFUSED/);
    assert.ok(at("db"));
    catalogs.close();
    open();
    await catalogs.follow([reference()]);
    assert.ok(at("db"));
    ahead = 3 * DAY;
    await until(() => at("db") === undefined);
    assert.match(catalogs.status()[0]?.error ?? "", /before the zone expired/);
    catalogs.close();
    open();
    await catalogs.follow([reference()]);
    assert.equal(at("db"), undefined);
    // Back again, it is fetched, whatever the copy says.
    await named.start();
    ahead += DAY;
    await until(() => at("db") !== undefined);
    assert.equal(catalogs.status()[0]?.error, "");
  });
});
