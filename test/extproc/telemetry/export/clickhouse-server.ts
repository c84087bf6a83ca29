/**
 * A real ClickHouse on free ports, over HTTP and TLS, that can be stopped and started with what it has.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "../../../e2e/certificates.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import { freePort } from "../../../e2e/ports.ts";
import { Program } from "../../../e2e/process.ts";

export const CLICKHOUSE_USER = "writer";
export const CLICKHOUSE_PASSWORD = "s3cret of a writer";

export class ClickHouseServer {
  /** By TLS, with a certificate of `ca`. */
  readonly secureUrl: string;
  readonly url: string;
  readonly ca: string;
  readonly folder: string;
  #program: Program | undefined;

  static async start(): Promise<ClickHouseServer> {
    const folder = await mkdtemp(join(tmpdir(), "clickhouse-"));
    const [http, https] = [await freePort(), await freePort()];
    const { ca, server } = await makeCertificates(folder);
    const path = (name: string) => join(folder, name, "/");
    // Before version 20, the root was called after its makers; newer ones still take it.
    await writeFile(
      join(folder, "config.xml"),
      `<yandex>
        <logger><level>warning</level><console>1</console></logger>
        <listen_host>127.0.0.1</listen_host><http_port>${http}</http_port><https_port>${https}</https_port>
        <openSSL><server>
          <certificateFile>${server.certFile}</certificateFile><privateKeyFile>${server.keyFile}</privateKeyFile>
          <verificationMode>none</verificationMode>
        </server></openSSL>
        <path>${path("data")}</path><tmp_path>${path("tmp")}</tmp_path><user_files_path>${path("files")}</user_files_path>
        <users_config>users.xml</users_config><default_profile>default</default_profile>
        <default_database>default</default_database><mark_cache_size>10000000</mark_cache_size>
      </yandex>`,
    );
    await writeFile(
      join(folder, "users.xml"),
      `<yandex>
        <profiles><default/></profiles><quotas><default/></quotas>
        <users><${CLICKHOUSE_USER}>
          <password>${CLICKHOUSE_PASSWORD}</password><networks><ip>127.0.0.1</ip></networks>
          <profile>default</profile><quota>default</quota>
        </${CLICKHOUSE_USER}></users>
      </yandex>`,
    );
    const clickhouse = new ClickHouseServer(folder, ca, http, https);
    await clickhouse.up();
    return clickhouse;
  }

  private constructor(folder: string, ca: string, http: number, https: number) {
    this.folder = folder;
    this.ca = ca;
    this.url = `http://127.0.0.1:${http}`;
    this.secureUrl = `https://localhost:${https}`;
  }

  async up(): Promise<void> {
    const program = new Program("clickhouse-server", "clickhouse-server", [
      `--config-file=${join(this.folder, "config.xml")}`,
    ]);
    this.#program = program;
    await eventually(20_000, "ClickHouse listens", async () => {
      if (!program.running)
        throw new Error(`clickhouse-server (of the package of that name) has ended: ${program.output}`);
      return (await fetch(this.url).catch(() => undefined))?.ok;
    });
  }

  async down(): Promise<void> {
    await this.#program?.kill();
  }

  async stop(): Promise<void> {
    await this.down();
    await rm(this.folder, { recursive: true });
  }

  /** What the statement answers, if it answers. */
  async run(statement: string, settings = ""): Promise<string> {
    const headers = { "x-clickhouse-user": CLICKHOUSE_USER, "x-clickhouse-key": CLICKHOUSE_PASSWORD };
    const answer = await fetch(`${this.url}/${settings}`, { method: "POST", headers, body: statement });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return text;
  }

  async rows(query: string): Promise<Record<string, unknown>[]> {
    const text = await this.run(`${query} FORMAT JSONEachRow`, "?output_format_json_quote_64bit_integers=0");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}
