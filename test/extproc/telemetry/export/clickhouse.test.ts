import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { QueryEvent } from "../../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { type ClickHouseTarget, exportClickHouse } from "../../../../extproc/telemetry/export/clickhouse.ts";
import { parseClickHouse } from "../../../../extproc/telemetry/export/clickhouse-file.ts";
import { createStatement } from "../../../../extproc/telemetry/export/clickhouse-table.ts";
import type { TenantTelemetry } from "../../../../extproc/telemetry/settings.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import { eventOf, readEvent } from "../events.ts";
import { CLICKHOUSE_PASSWORD, CLICKHOUSE_USER, ClickHouseServer } from "./clickhouse-server.ts";
import { Tasks } from "./tasks.ts";

const DAY = 86_400_000;
const GATHER_MS = 1000;

describe("ClickHouse", function () {
  this.timeout(60_000);
  let server: ClickHouseServer;
  let tasks: Tasks;
  let tables = 0;
  let table: string;
  const troubles: string[] = [];
  before(async () => {
    server = await ClickHouseServer.start();
  });
  after(() => server.stop());
  beforeEach(() => {
    tasks = new Tasks();
    troubles.length = 0;
    table = `queries_${++tables}`;
  });

  const open = (target: Partial<ClickHouseTarget> = {}) =>
    exportClickHouse(
      {
        url: server.url,
        database: "default",
        table,
        username: CLICKHOUSE_USER,
        password: CLICKHOUSE_PASSWORD,
        ca: undefined,
        createTable: true,
        keep: 30 * DAY,
        ...target,
      },
      { after: tasks.after, onTrouble: (message) => troubles.push(message), random: () => 0.5, now: Date.now },
    );
  const events = (count: number, changes: QueryEvent = {}) =>
    Array.from({ length: count }, () => readEvent(eventOf(changes)));
  const count = async () => Number(await server.run(`SELECT count() FROM ${table}`));

  it("has rows in the words of the query log, by TLS, in a table that is made for them", async () => {
    const to = open({ url: server.secureUrl, ca: server.ca });
    to.take(
      [
        eventOf({ principal: "spiffe://cluster.local/ns/web/sa/shop", flags: 0x0180 }),
        eventOf({ logged: false, tenant: "unlogged" }),
        eventOf({
          tenant: "backend",
          outcome: 0,
          policy: "",
          rule: "",
          rcode: 0,
          ede: 0,
          qname: Buffer.from("\x09'\"\\\t\n\x00\xff{;\x00", "latin1"),
          answers: Buffer.from([4, 192, 0, 2, 1, 4, 192, 0, 2, 2]),
          cache: 2,
          upstream: "public",
          upstream_us: 77,
          audits: [{ policy: "trial", rule: "no-ads", action: 1 }],
        }),
      ].map(readEvent),
      "east",
    );
    assert.deepEqual(tasks.pauses, [GATHER_MS]);
    tasks.run(GATHER_MS);
    await eventually(10_000, "two rows", () => to.sent === 2 || troubles.length > 0);
    assert.deepEqual(troubles, []);
    const [backend, frontend] = await server.rows(`SELECT * FROM ${table} ORDER BY tenant`);
    assert.deepEqual(frontend, {
      time: "2023-11-14 22:13:20",
      time_us: 1_700_000_000_123_456,
      expires: "2023-12-14 22:13:20",
      node: "east",
      tenant: "frontend",
      client: "127.0.1.1",
      principal: "spiffe://cluster.local/ns/web/sa/shop",
      namespace: "",
      workload: "",
      transport: "dot",
      qname: "www.example.com.",
      qtype: "AAAA",
      outcome: "denied",
      policy: "no-com",
      rule: "deny-com",
      rcode: "NXDOMAIN",
      ede: 15,
      latency_us: 120,
      flags: "rd ra",
      cache: "",
      revision: 7,
      upstream: "",
      upstream_us: 0,
      decision_us: 0,
      rewritten: "",
      answers: [],
      "audit.policy": [],
      "audit.rule": [],
      "audit.would": [],
    });
    const { qname, ede, cache, upstream, answers, ...rest } = backend ?? {};
    assert.deepEqual(
      [qname, ede, cache, upstream, answers],
      ["'\"\\\\\\009\\010\\000\\255{;.", null, "miss", "public", ["192.0.2.1", "192.0.2.2"]],
    );
    assert.deepEqual(
      [rest["audit.policy"], rest["audit.rule"], rest["audit.would"]],
      [["trial"], ["no-ads"], ["deny"]],
    );
    await to.close();
    assert.deepEqual([to.sent, to.lost], [2, 0]);
  });

  it("has the table that is documented", async () => {
    const docs = await readFile("docs/telemetry.md", "utf8");
    const [, documented = ""] = /```sql\n(CREATE TABLE[^`]*)```/.exec(docs) ?? [];
    const plain = (text: string) => text.replace(/\s+/g, " ").trim();
    assert.equal(plain(createStatement("dns_queries", true)), plain(documented));
  });

  it("is told for how long each tenant has its rows kept", async () => {
    const to = open();
    const wants = (keepMs: number): TenantTelemetry => ({ clients: "Full", names: "Full", keepMs });
    to.configure?.({ events: "Logged", tenants: { short: wants(2 * DAY), long: wants(90 * DAY), usual: wants(0) } });
    to.take(
      ["short", "long", "usual"].flatMap((tenant) => events(1, { tenant })),
      "east",
    );
    await to.close();
    assert.deepEqual(await server.rows(`SELECT tenant, expires - time AS kept FROM ${table} ORDER BY tenant`), [
      { tenant: "long", kept: 30 * 86_400 },
      { tenant: "short", kept: 2 * 86_400 },
      { tenant: "usual", kept: 30 * 86_400 },
    ]);
  });

  it("fills what columns there are in a table that somebody else has made", async () => {
    const to = open({ createTable: false });
    to.take(events(1), "east");
    tasks.run(GATHER_MS);
    await eventually(10_000, "a refusal", () => tasks.pauses.includes(750));
    assert.match(
      troubles.join(),
      /^ClickHouse: a batch of rows is not taken, trying again: .*queries_\d+ doesn't exist/,
    );
    await server.run(
      `CREATE TABLE ${table} (time DateTime, tenant String, of_mine UInt8) ENGINE = MergeTree ORDER BY time`,
    );
    tasks.run(750);
    await eventually(10_000, "a row", () => to.sent === 1);
    assert.deepEqual(await server.rows(`SELECT tenant, of_mine FROM ${table}`), [{ tenant: "frontend", of_mine: 0 }]);
    await to.close();
  });

  it("is waited for, with no more in memory than a bound, and gets what there was room for when it is back", async () => {
    const to = open();
    to.take(events(1), "east");
    tasks.run(GATHER_MS);
    await eventually(10_000, "a row", () => to.sent === 1);
    await server.down();
    // Rows of 10 KiB, of which 32 MiB and a batch of 4 MiB have room.
    const some = events(100);
    for (let sent = 0; sent < 5000; sent += some.length) to.take(some, "n".repeat(10_240));
    assert.ok(to.lost > 1000 && to.lost < 2000, `${to.lost} of 5000 are lost`);
    const { lost } = to;
    for (const pause of [750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000, 45_000]) {
      await eventually(10_000, `a pause of ${pause} ms`, () => tasks.pauses.includes(pause));
      tasks.run(pause);
    }
    await eventually(10_000, "another pause", () => tasks.pauses.includes(45_000));
    assert.equal(troubles.length, 1);
    assert.match(troubles[0] ?? "", /ECONNREFUSED|socket hang up|ECONNRESET/);
    await server.up();
    tasks.run(45_000);
    // What is gathered goes when nothing else waits.
    await eventually(20_000, "all that was kept", () => {
      if (tasks.pauses.includes(GATHER_MS)) tasks.run(GATHER_MS);
      return to.sent + lost === 5001;
    });
    assert.deepEqual([to.lost, await count()], [lost, to.sent]);
    await to.close();
  });

  it("is given up on for a batch that it refuses again and again, and for no other", async () => {
    const passwordFile = join(server.folder, "password");
    await writeFile(passwordFile, "wrong password\n");
    const to = open({ password: "", passwordFile });
    to.take(events(3), "east");
    tasks.run(GATHER_MS);
    for (const pause of [750, 1500, 3000, 6000, 12_000, 24_000, 45_000]) {
      await eventually(10_000, `a pause of ${pause} ms`, () => tasks.pauses.includes(pause));
      tasks.run(pause);
    }
    await eventually(10_000, "it is given up", () => to.lost === 3);
    assert.match(troubles.join(), /Wrong password for user writer/);
    assert.ok(!troubles.join().includes("wrong password"));
    // The file is read for each try.
    await writeFile(passwordFile, `${CLICKHOUSE_PASSWORD}\n`);
    to.take(events(2), "east");
    tasks.run(GATHER_MS);
    await eventually(10_000, "rows", () => to.sent === 2);
    assert.deepEqual([await count(), to.lost], [2, 3]);
    await to.close();
  });

  it("is not spoken to where there is no reason to trust it", async () => {
    const to = open({ url: server.secureUrl });
    to.take(events(1), "east");
    await to.close();
    assert.deepEqual([to.sent, to.lost], [0, 1]);
    assert.match(troubles.join(), /self.signed|unable to/);
  });

  it("is configured by a file whose errors say where they are", () => {
    const read = parseClickHouse(
      `url: https://clickhouse.example:8443/dns?x=1
table: queries; DROP TABLE x
passwordFile: secret
keep: forever
passwort: x
`,
      "clickhouse.yaml",
    );
    assert.deepEqual(
      read.problems?.map(({ line, path, message }) => `${line} ${path}: ${message}`),
      [
        '1 url: expected a URL as https://host.example:8443, with nothing after the port, got "https://clickhouse.example:8443/dns?x=1"',
        '2 table: expected 1 to 63 letters, digits and underscores, not a digit first, got "queries; DROP TABLE x"',
        '3 passwordFile: expected an absolute path of at most 1024 characters, got "secret"',
        '4 keep: expected days or hours as 30d or 12h, got "forever"',
        '5 passwort: expected one of url, database, table, username, passwordFile, caFile, createTable, keep, got the unknown field "passwort"',
      ],
    );
    const unsafe = parseClickHouse(
      "url: http://me:secret@clickhouse.example:8123\ncaFile: /etc/ssl/own.pem\n",
      "clickhouse.yaml",
    );
    assert.deepEqual(
      unsafe.problems?.map(({ line, message }) => `${line} ${message}`),
      [
        "1 expected https: where caFile says whom to trust",
        "1 expected username and passwordFile, got a user in the URL",
      ],
    );
    const { value } = { value: undefined, ...parseClickHouse("url: https://clickhouse.example:8443\n", "c.yaml") };
    assert.deepEqual(value, {
      url: "https://clickhouse.example:8443",
      database: "default",
      table: "dns_queries",
      username: "default",
      createTable: false,
      keep: 30 * DAY,
    });
  });
});
