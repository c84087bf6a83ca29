/**
 * Asks one question over UDP and prints the answer: for images that have no dig.
 */
import { parseArgs } from "node:util";
import type { Packet } from "dns-packet";
import { ask } from "./question.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    server: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "1053" },
    from: { type: "string", default: "0.0.0.0" },
  },
});
const [name = "www.example.com"] = positionals;
const answer = await ask({
  name,
  from: values.from,
  server: values.server,
  port: Number(values.port),
  timeoutMs: 5000,
});
process.stdout.write(answer ? describe(answer) : "no answer in 5 s\n");
process.exitCode = answer ? 0 : 1;

function describe(packet: Packet): string {
  const rcodes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
  const rcode = (packet.flags ?? 0) & 0xf;
  const lines = [`${name}: ${rcodes[rcode] ?? rcode}${explanation(packet)}`];
  for (const record of packet.answers ?? []) {
    lines.push(`${record.name} ${record.type} ${"data" in record ? JSON.stringify(record.data) : ""}`);
  }
  return `${lines.join("\n")}\n`;
}

/** INFO-CODE and EXTRA-TEXT of an Extended DNS Error (RFC 8914). */
function explanation(packet: Packet): string {
  for (const record of packet.additionals ?? []) {
    if (record.type !== "OPT") continue;
    for (const option of record.options) {
      const { code, data } = option as { code: number; data: Buffer };
      if (code === 15 && data.length >= 2)
        return `, EDE ${data.readUInt16BE(0)} ${data.subarray(2).toString()}`.trimEnd();
    }
  }
  return "";
}
