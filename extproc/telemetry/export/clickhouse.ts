/**
 * What the query log has, as rows of a table in ClickHouse: in batches, one after the other.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { ClickHouseError, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { PRODUCT } from "../../product.ts";
import { telemetryOf, USUAL_SETTINGS } from "../settings.ts";
import type { ClickHouseOptions } from "./clickhouse-file.ts";
import { createStatement, isModern, rowOf } from "./clickhouse-table.ts";
import { Delivery, type Parcel } from "./delivery.ts";
import type { EventExporter, ExportContext } from "./event-exporter.ts";

/** For one batch; a server makes a part of each, and wants them few and large. */
const GATHER_MS = 1000;
const BATCH_OCTETS = 4 * 2 ** 20;
/** Octets that may wait, beside the batch that is gathered. */
const MAX_WAITING = 32 * 2 ** 20;
const ANSWER_MS = 30_000;
/** Of a batch that the server refuses. One that does not reach it is tried for as long as the service runs. */
const MAX_REFUSALS = 8;

/** `ca`: PEM of the file that the options name. `password`: where they name no file. */
export interface ClickHouseTarget extends ClickHouseOptions {
  readonly ca: string | undefined;
  readonly password: string;
}

interface Batch extends Parcel {
  /** By which it is known where it comes twice. */
  readonly token: string;
  readonly octets: Buffer;
}

export function exportClickHouse(target: ClickHouseTarget, context: ExportContext): EventExporter {
  const { url, database, table, username, password, passwordFile, ca, keep } = target;
  const client = createClient({
    url,
    database,
    username,
    application: PRODUCT,
    request_timeout: ANSWER_MS,
    log: { level: ClickHouseLogLevel.OFF },
    // A table that somebody else has made may have fewer columns.
    clickhouse_settings: { input_format_skip_unknown_fields: 1 },
    ...(ca === undefined ? {} : { tls: { ca_cert: Buffer.from(ca) } }),
  });
  /** What it was when it took the last batch; it may have become another. */
  let server: { readonly modern: boolean } | undefined;
  const attempt = async ({ octets, token }: Batch, abort_signal: AbortSignal) => {
    // Read for each try, so that it can be changed while the service runs.
    const secret = passwordFile === undefined ? password : (await readFile(passwordFile, "utf8")).trim();
    const request = { abort_signal, auth: { username, password: secret } };
    const { modern } = server ?? { modern: await isModern(client, request) };
    if (target.createTable && server === undefined)
      await client.command({ ...request, query: createStatement(table, modern) });
    server = undefined;
    const settings = modern ? { insert_deduplication_token: token } : {};
    const values = Readable.from([octets], { objectMode: false });
    // `insert` would make JSON of each row once more.
    const query = `INSERT INTO ${table} FORMAT JSONEachRow`;
    const { stream } = await client.exec({ ...request, query, values, clickhouse_settings: settings });
    await finished(stream.resume());
    server = { modern };
  };
  const delivery = new Delivery<Batch>({
    ...context,
    what: "ClickHouse: a batch of rows",
    maxWaiting: MAX_WAITING,
    attempt,
    givesUp: (tries, error) => tries >= MAX_REFUSALS && isRefusal(error),
  });
  let settings = USUAL_SETTINGS;
  let rows: string[] = [];
  let octets = 0;
  let cancel: (() => void) | undefined;
  const send = () => {
    cancel?.();
    cancel = undefined;
    if (rows.length === 0) return;
    const text = Buffer.from(rows.join(""));
    delivery.send([{ token: randomUUID(), octets: text, size: text.length, count: rows.length }]);
    rows = [];
    octets = 0;
  };
  const gather = () => {
    cancel = context.after(GATHER_MS, () => {
      // While others wait, there is time for a larger batch.
      if (delivery.idle) send();
      else gather();
    });
  };
  return {
    name: "clickhouse",
    get sent() {
      return delivery.sent;
    },
    get lost() {
      return delivery.lost;
    },
    configure: (newer) => {
      settings = newer;
    },
    take: (events, node) => {
      for (const event of events) {
        if (!event.logged) continue;
        const { keepMs = 0 } = telemetryOf(settings, event.tenant) ?? {};
        const row = `${JSON.stringify(rowOf(event, node, keepMs === 0 ? keep : Math.min(keep, keepMs)))}\n`;
        rows.push(row);
        octets += row.length;
        if (octets >= BATCH_OCTETS) send();
      }
      if (rows.length > 0 && cancel === undefined) gather();
    },
    close: async () => {
      send();
      await delivery.close();
      await client.close();
    },
  };
}

/** Not that it did not answer. Before version 20, its errors had no type, which the client looks for. */
function isRefusal(error: Error): boolean {
  return error instanceof ClickHouseError || /^Code: \d+/.test(error.message);
}
