/**
 * A real rsyslogd on free ports, and what it has understood of each message.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates, type TestCertificates } from "../../../e2e/certificates.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import { freePort } from "../../../e2e/ports.ts";
import { Program } from "../../../e2e/process.ts";

export interface SyslogRecord {
  readonly pri: string;
  readonly version: string;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly id: string;
  readonly message: string;
  /** By SD-ID and name. */
  readonly data: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export class SyslogServer {
  readonly ports: { readonly udp: number; readonly tcp: number; readonly tls: number };
  readonly certificates: TestCertificates;
  readonly #folder: string;
  readonly #program: Program;

  static async start(): Promise<SyslogServer> {
    const folder = await mkdtemp(join(tmpdir(), "rsyslog-"));
    const certificates = await makeCertificates(folder);
    const ports = { udp: await freePort(), tcp: await freePort(), tls: await freePort() };
    const { server, caFile } = certificates;
    const input = (type: string, port: number, more = "") =>
      `input(type="${type}" address="127.0.0.1" port="${port}" ruleset="all" ${more})`;
    await writeFile(
      join(folder, "rsyslog.conf"),
      [
        `global(workDirectory="${folder}" DefaultNetstreamDriverCAFile="${caFile}"`,
        `  DefaultNetstreamDriverCertFile="${server.certFile}" DefaultNetstreamDriverKeyFile="${server.keyFile}")`,
        'module(load="imudp") module(load="imtcp") module(load="mmpstrucdata")',
        input("imudp", ports.udp),
        input("imtcp", ports.tcp),
        input("imtcp", ports.tls, 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'),
        'template(name="line" type="list" option.jsonf="on") {',
        ...[
          "pri",
          "time:timereported",
          "host:hostname",
          "app:app-name",
          "id:msgid",
          "message:msg",
          "version:protocol-version",
        ].map((field) => {
          const [name, property = name] = field.split(":");
          const format = property === "timereported" ? ' dateformat="rfc3339"' : "";
          return `property(outname="${name}" name="${property}" format="jsonf"${format})`;
        }),
        'property(outname="data" name="$!rfc5424-sd" format="jsonf")',
        "}",
        'ruleset(name="all") { action(type="mmpstrucdata")',
        `  action(type="omfile" file="${join(folder, "messages.jsonl")}" template="line") }`,
        "",
      ].join("\n"),
    );
    const program = new Program("rsyslogd", "rsyslogd", [
      "-n",
      ...["-f", join(folder, "rsyslog.conf")],
      ...["-i", join(folder, "rsyslog.pid")],
    ]);
    const server_ = new SyslogServer(folder, ports, certificates, program);
    await eventually(15_000, "rsyslogd listens", () => {
      if (!program.running) throw new Error(`rsyslogd has ended: ${program.output}`);
      return new Promise<boolean>((resolve) => {
        const socket = connect(ports.tls, "127.0.0.1", () => {
          socket.destroy();
          resolve(true);
        });
        socket.on("error", () => resolve(false));
      });
    });
    return server_;
  }

  private constructor(folder: string, ports: SyslogServer["ports"], certificates: TestCertificates, program: Program) {
    this.#folder = folder;
    this.ports = ports;
    this.certificates = certificates;
    this.#program = program;
  }

  /** All that came, as soon as there are so many. */
  messages(count: number): Promise<SyslogRecord[]> {
    return eventually(10_000, `${count} messages`, async () => {
      const text = await readFile(join(this.#folder, "messages.jsonl"), "utf8").catch(() => "");
      const lines = text.split("\n").filter((line) => line !== "");
      return lines.length >= count && lines.map(readRecord);
    });
  }

  get output(): string {
    return this.#program.output;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    await rm(this.#folder, { recursive: true });
  }
}

/** rsyslogd has the structured data as text in JSON. */
function readRecord(line: string): SyslogRecord {
  const record = JSON.parse(line) as Omit<SyslogRecord, "data"> & { readonly data: string };
  return { ...record, data: JSON.parse(record.data) as SyslogRecord["data"] };
}
