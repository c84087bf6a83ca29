/**
 * Past queries in DuckDB: a file that one process writes. Of what there is, it filters ten million rows fastest and takes the
 * least room for them. It is an optional package, and loaded only where a store is asked for.
 */
import { randomBytes } from "node:crypto";
import type { DuckDBAppender, DuckDBConnection, DuckDBInstance, DuckDBValue } from "@duckdb/node-api";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import type { QueryFilter, QueryPage, QuerySearch } from "./questions.ts";
import { and, conditionsOf, type Sql } from "./store-conditions.ts";
import { ADDED, appendRow, COLUMNS, NAME_HASH, readRow, TABLE } from "./store-rows.ts";

export interface StoreOptions {
  readonly path: string;
  /** Milliseconds for which queries are kept. */
  readonly keepMs: number;
  /** Octets of the file beyond which the oldest queries go. */
  readonly maxBytes: number;
}

/** Rows that may wait to be written; what comes beyond that is lost, and counted. */
const MAX_WAITING = 200_000;
/** Of the rows, what goes at once where the file is too large. */
const SHRINK = 0.1;
/** Rows that a search looks at first. */
const FIRST_STRETCH = 250_000n;
/** Of DuckDB; blocks of the file that have no room in it are in the page cache of the system. */
const MEMORY_LIMIT = "48MB";
/** While rows are deleted: 16 KiB for each 2,048 of which one goes. */
const DELETING_LIMIT = "192MB";

export class QueryStore {
  readonly #options: StoreOptions;
  readonly #instance: DuckDBInstance;
  /** Of the appender, which writes while others read. */
  readonly #writing: DuckDBConnection;
  readonly #connection: DuckDBConnection;
  #appender: DuckDBAppender;
  /** For hashes of names: the same for as long as the store. */
  readonly key: Buffer;
  #next: bigint;
  #waiting = 0;
  /** While rows are deleted nothing is written: what comes is held. */
  #held: QueryEvent__Output[] | undefined;
  /** Events since it was opened: that are written, and that could not be. */
  stored = 0;
  lost = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    options: StoreOptions,
    instance: DuckDBInstance,
    writing: DuckDBConnection,
    connection: DuckDBConnection,
    appender: DuckDBAppender,
    key: Buffer,
    next: bigint,
  ) {
    this.#options = options;
    this.#instance = instance;
    this.#writing = writing;
    this.#connection = connection;
    this.#appender = appender;
    this.key = key;
    this.#next = next;
  }

  /** Rejects where the package is not installed, the file is another program's, or none of ours. */
  static async open(options: StoreOptions): Promise<QueryStore> {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(options.path, { memory_limit: DELETING_LIMIT, threads: "2" });
    const connection = await instance.connect();
    await connection.run(TABLE);
    const hashes = await connection.runAndReadAll(
      `SELECT 1 FROM pragma_table_info('queries') WHERE name = 'name_hash'`,
    );
    // Stores of earlier versions.
    if (hashes.currentRowCount === 0) {
      await remake(connection, `*, ${NAME_HASH} AS name_hash`);
      await connection.run("CHECKPOINT");
    }
    for (const column of ADDED) await connection.run(`ALTER TABLE queries ADD COLUMN IF NOT EXISTS ${column}`);
    await connection.run("CREATE TABLE IF NOT EXISTS secret (key VARCHAR)");
    const known = (await connection.runAndReadAll("SELECT key FROM secret")).getRows()[0]?.[0];
    const key = typeof known === "string" ? Buffer.from(known, "hex") : randomBytes(32);
    if (known === undefined) await connection.run(`INSERT INTO secret VALUES ('${key.toString("hex")}')`);
    await connection.run(`SET memory_limit = '${MEMORY_LIMIT}'`);
    const last = (await connection.runAndReadAll("SELECT coalesce(max(id), 0) FROM queries")).getRows()[0]?.[0];
    const writing = await instance.connect();
    const appender = await writing.createAppender("queries");
    return new QueryStore(options, instance, writing, connection, appender, key, BigInt(String(last)) + 1n);
  }

  append(event: QueryEvent__Output): void {
    if (this.#waiting >= MAX_WAITING) {
      this.lost++;
      return;
    }
    if (this.#held !== undefined) {
      this.#held.push(event);
      this.#waiting++;
      return;
    }
    appendRow(this.#appender, this.#next++, event);
    this.#waiting++;
  }

  /** What was appended is on disk from then on, also when the process is killed. */
  flush(): void {
    if (this.#waiting === 0 || this.#held !== undefined) return;
    this.#appender.flushSync();
    this.stored += this.#waiting;
    this.#waiting = 0;
  }

  /** Looks at the newest rows first, and at more and more of them until there are enough. */
  async search({ limit, cursor, since, until, ...filter }: QuerySearch): Promise<QueryPage> {
    this.flush();
    const where = conditionsOf({ filter, since, until });
    const found: DuckDBValue[][] = [];
    let below = cursor !== undefined && /^\d{1,17}$/.test(cursor) ? BigInt(cursor) : this.#next;
    for (let stretch = FIRST_STRETCH; below > 0n && found.length <= limit; stretch *= 8n) {
      const from = below > stretch ? below - stretch : 0n;
      const stretched = and(where, "id >= ? AND id < ?", from, below);
      const count = limit + 1 - found.length;
      const sql = `SELECT ${COLUMNS} FROM queries ${stretched.text} ORDER BY id DESC LIMIT ${count}`;
      found.push(...(await this.#rows(sql, stretched)));
      below = from;
    }
    const last = found[limit - 1];
    const next = found.length > limit && last !== undefined ? { next: String(last[0]) } : {};
    return { queries: found.slice(0, limit).map(readRow), ...next };
  }

  async count(filter: QueryFilter = {}): Promise<number> {
    this.flush();
    const where = conditionsOf({ filter });
    return Number((await this.#rows(`SELECT count(*) FROM queries ${where.text}`, where))[0]?.[0] ?? 0);
  }

  /** Returns how many are gone. What the file had of them is overwritten. */
  erase(filter: QueryFilter): Promise<number> {
    return this.#alone(async () => {
      const erased = await this.#delete(conditionsOf({ filter }));
      if (erased > 0) await this.#rewrite();
      return erased;
    });
  }

  /** Lets go of what is too old, or too much. `tenants`: milliseconds for those who want their own kept for less. */
  expire(now: number, tenants: Readonly<Record<string, number>>): Promise<void> {
    return this.#alone(() => this.#expire(now, tenants));
  }

  async #expire(now: number, tenants: Readonly<Record<string, number>>): Promise<void> {
    const before = (milliseconds: number) => ({ until: now - milliseconds });
    await this.#delete(conditionsOf({ filter: {}, ...before(this.#options.keepMs) }));
    for (const [tenant, keepMs] of Object.entries(tenants)) {
      if (keepMs > 0) await this.#delete(conditionsOf({ filter: { tenant }, ...before(keepMs) }));
    }
    if ((await this.bytes()) <= this.#options.maxBytes) return;
    const ends = await this.#rows("SELECT min(id), max(id) FROM queries", { text: "", values: [] });
    const [first, last] = ends[0] ?? [];
    if (typeof first !== "bigint" || typeof last !== "bigint") return;
    const past = first + BigInt(Math.ceil(Number(last - first + 1n) * SHRINK));
    await this.#delete({ text: "WHERE id < ?", values: [past] });
  }

  /** Of the file, what is in use. */
  async bytes(): Promise<number> {
    const rows = await this.#rows("SELECT used_blocks * block_size FROM pragma_database_size()", {
      text: "",
      values: [],
    });
    return Number(rows[0]?.[0] ?? 0);
  }

  close(): void {
    this.#release();
    this.flush();
    this.#appender.closeSync();
    this.#writing.closeSync();
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async #rows(sql: string, { values }: Sql): Promise<DuckDBValue[][]> {
    return (await this.#connection.runAndReadAll(sql, [...values])).getRows();
  }

  async #delete(where: Sql): Promise<number> {
    const deleted = Number((await this.#rows(`DELETE FROM queries ${where.text}`, where))[0]?.[0] ?? 0);
    // Until then, it remembers what was there.
    if (deleted > 0) await this.#connection.run("CHECKPOINT");
    return deleted;
  }

  async #rewrite(): Promise<void> {
    this.#appender.closeSync();
    await remake(this.#writing, "*");
    await this.#connection.run("CHECKPOINT");
    this.#appender = await this.#writing.createAppender("queries");
  }

  /** One after the other, and with nothing written meanwhile. */
  #alone<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      this.flush();
      this.#held = [];
      try {
        await this.#connection.run(`SET memory_limit = '${DELETING_LIMIT}'`);
        return await task();
      } finally {
        // It refuses to where a search holds more; the next time will do.
        await this.#connection.run(`SET memory_limit = '${MEMORY_LIMIT}'`).catch(() => {});
        this.#release();
      }
    });
    this.#last = result.catch(() => {});
    return result;
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#waiting -= held.length;
    for (const event of held) this.append(event);
  }
}

/** Deleted rows stay in the file for a while: a table that is made anew has nothing of them after the next checkpoint. */
async function remake(connection: DuckDBConnection, columns: string): Promise<void> {
  await connection.run("BEGIN TRANSACTION");
  try {
    await connection.run(`CREATE OR REPLACE TABLE kept AS SELECT ${columns} FROM queries`);
    await connection.run("DROP TABLE queries");
    await connection.run("ALTER TABLE kept RENAME TO queries");
    await connection.run("COMMIT");
  } catch (error) {
    await connection.run("ROLLBACK");
    throw error;
  }
}
