/**
 * Zones of a real BIND: fetched whole, then by changes, when it tells of them.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { findListed } from "../../../extproc/compiled/name-table.ts";
import { readQuestion } from "../../../extproc/compiled/question.ts";
import { ScopeBuilder } from "../../../extproc/compiled/scope.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import { type ListReader, startListReader } from "../../../extproc/lists/list-reader.ts";
import { NameLists } from "../../../extproc/lists/name-lists.ts";
import { MACHINE_CLOCK } from "../../../extproc/machine-clock.ts";
import { type NotifyServer, startNotifyServer } from "../../../extproc/transfer/notify-server.ts";
import { wireOf } from "../compile/compile-text.ts";
import { KEY_NAME, type Named, startNamed, ZONE } from "./named.ts";

const RECORDS = `ads.example CNAME .
*.track.example CNAME .
good.track.example CNAME rpz-passthru.
walled.example A 192.0.2.1
walled.example AAAA 2001:db8::1
32.7.2.0.192.rpz-ip CNAME .
`;

describe("lists: zones of a BIND", function () {
  this.timeout(60_000);
  let directory = "";
  let named: Named;
  let reader: ListReader;
  let lists: NameLists;
  let notify: NotifyServer;

  before(async function () {
    if (!existsSync("/usr/sbin/named")) this.skip();
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "zones-"));
    reader = startListReader(join(directory, "lists"));
    lists = open();
    notify = await startNotifyServer({ host: "127.0.0.1", port: 0 }, (zone, address) => lists.notify(zone, address));
  });
  afterEach(async () => {
    await notify?.close();
    lists?.close();
    await reader?.close();
    await named?.stop();
    await rm(directory, { recursive: true });
  });

  function open(): NameLists {
    return new NameLists({
      reader,
      directory,
      ...MACHINE_CLOCK,
      onTrouble: () => {},
    });
  }

  const reference = (secretFile = named.secretFile) => ({
    name: "feed",
    format: "RPZ" as const,
    subdomains: false,
    transfer: {
      primaries: [{ address: "127.0.0.1", port: named.port }],
      zone: ZONE,
      tsig: { name: KEY_NAME, algorithm: "hmac-sha256" as const, secretFile },
    },
  });

  function has(name: string): boolean {
    const table = lists.read([reference()]).tables.get("feed");
    const question = readQuestion(wireOf(name));
    return (
      table !== undefined && question !== undefined && findListed(table, question, new ScopeBuilder()) !== undefined
    );
  }

  async function until(condition: () => boolean): Promise<void> {
    for (let tries = 0; !condition(); tries++) {
      assert.ok(tries < 400, `nothing came of it: ${JSON.stringify(lists.status())}`);
      await pause(25);
    }
  }

  const serialOf = () => lists.status()[0]?.serial;

  it("are fetched whole, and then by changes, as soon as it tells of them", async () => {
    named = await startNamed({ directory: join(directory, "bind"), records: RECORDS, notifyPort: notify.port });
    await lists.prepare([reference()]);
    const [status] = lists.status();
    assert.deepEqual(
      [status?.error, status?.serial, status?.names, status?.exceptions, status?.left],
      ["", 1, 3, 1, 1],
    );
    assert.ok(has("ads.example") && has("x.track.example") && has("walled.example"));
    assert.ok(!has("good.track.example") && !has("x.ads.example"));

    let changes = 0;
    lists.onChange(() => changes++);
    await named.update("add new.example.rpz.example. 60 CNAME .", "delete ads.example.rpz.example. CNAME .");
    await until(() => changes === 1);
    assert.deepEqual([has("new.example"), has("ads.example"), serialOf()], [true, false, 2]);
    const { version = 0, change } = lists.read([reference()]).tables.get("feed") ?? {};
    const changed = change?.names.map((name) => presentName(Buffer.from(name))).sort();
    assert.deepEqual([change?.since, changed], [version - 1, ["ads.example.", "new.example."]]);

    // Of two records, one is left; and an exception goes.
    await named.update("delete walled.example.rpz.example. AAAA", "delete good.track.example.rpz.example. CNAME");
    await until(() => serialOf() === 3);
    assert.ok(has("walled.example") && has("good.track.example"));
    await named.update("delete walled.example.rpz.example. A");
    await until(() => serialOf() === 4);
    assert.ok(!has("walled.example"));
  });

  it("are fetched whole again from one that tells no changes", async () => {
    const options = {
      directory: join(directory, "bind"),
      records: RECORDS,
      notifyPort: notify.port,
      provideIxfr: false,
    };
    named = await startNamed(options);
    await lists.prepare([reference()]);
    await named.update("add new.example.rpz.example. 60 CNAME .");
    await until(() => has("new.example"));
    assert.ok(has("ads.example"));
  });

  it("are there after a restart while it is away, and go on from where they were", async () => {
    named = await startNamed({ directory: join(directory, "bind"), records: RECORDS, notifyPort: notify.port });
    await lists.prepare([reference()]);
    await named.stop();
    lists.close();
    await reader.close();
    reader = startListReader(join(directory, "lists"));
    lists = open();
    await lists.prepare([reference()]);
    assert.ok(has("ads.example"));
    await until(() => /ECONNREFUSED/.test(lists.status()[0]?.error ?? ""));
    assert.ok(has("ads.example"));
    await named.start();
    await named.update("add new.example.rpz.example. 60 CNAME .");
    await until(() => has("new.example"));
    assert.deepEqual([serialOf(), lists.status()[0]?.error], [2, ""]);
  });

  it("are not taken by another secret, and not without one", async () => {
    named = await startNamed({ directory: join(directory, "bind"), records: RECORDS });
    const other = join(directory, "other");
    await writeFile(other, Buffer.from("another secret of the same length, nearly").toString("base64"));
    await lists.prepare([reference(other)]);
    assert.match(lists.status()[0]?.error ?? "", /NOTAUTH|BADSIG/);
    const { tsig: _, ...unsigned } = reference().transfer;
    lists.follow([]);
    await lists.prepare([{ ...reference(), transfer: unsigned }]);
    assert.match(lists.status()[0]?.error ?? "", /expected AXFR, got REFUSED/);
  });
});
