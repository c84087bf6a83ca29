/**
 * Names with quotes, line ends, braces, HTML and 0xFF: metrics parse by Prometheus' own tool, logs and replies as JSON.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { UdpClient } from "../../e2e/clients/udp.ts";
import { encodeOctetsQuestion, FLAGS } from "../../e2e/dns.ts";
import type { Asked, Reply } from "../../e2e/upstream.ts";
import { type Proof, scaled } from "../proof.ts";
import { checkAgreement, lookAt, startObserved } from "./observed.ts";

const NAMES = 5000;
/** As many as Envoy keeps of a port before the first of it is answered (max_buffered_datagrams), with room. */
const AT_ONCE = 50;
/** Octets of a message before its question. */
const HEADER = 12;
const PARTS = [
  '"',
  "'",
  "\\",
  "\n",
  "\r",
  "\0",
  "{",
  "}",
  "<script>",
  "\xff",
  "\x7f",
  "%",
  "*",
  ",",
  "\u00e9",
  "\x1b[31m",
  "--",
  ";",
];

export const hostileNames: Proof = {
  name: "hostile-names",
  what: "names with quotes, line ends, braces, HTML, 0xFF: /metrics parses with Prometheus itself, and logs and replies as JSON",
  async run(scale, report) {
    const stack = await startObserved();
    try {
      stack.upstream().script = answerOctets;
      const before = await lookAt(stack);
      const count = scaled(NAMES, scale, 100);
      const client = await UdpClient.open(stack.ask.at("udp"), stack.ask.from("frontend"));
      let unanswered = 0;
      for (let first = 0; first < count; first += AT_ONCE) {
        const batch = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) =>
          hostileQuestion(first + index),
        );
        const asked = batch.map((question) => client.ask(question).catch(() => unanswered++));
        await Promise.all(asked);
      }
      client.close();
      report.atMost("unanswered", unanswered, 0);
      checkAgreement(report, count, before, await lookAt(stack));
      const metrics = await stack.service.metrics();
      const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
        input: metrics,
        encoding: "utf8",
      });
      report.check(status === 0, `promtool: ${stdout}${stderr}`);
      const lines = readFileSync(stack.service.queryLog, "utf8").trimEnd().split("\n");
      const records = lines.map((line) => JSON.parse(line) as { qname: string });
      const unsafe = records.filter(({ qname }) => !/^[\x21-\x7e]+$/.test(qname)).length;
      report.atMost("names in it that are not plain text", unsafe, 0);
      const { body } = await stack.service.request("GET", "/v1/telemetry/top?kind=names&window=1h&limit=1000");
      report.atLeast("names that the page lists", (JSON.parse(body) as { items: unknown[] }).items.length, 50);
    } finally {
      await stack.stop();
    }
  },
};

/** A question for a label of these octets, below org. */
function hostileQuestion(number: number): Buffer {
  const text = [0, 1, 2].map((digit) => PARTS[Math.floor(number / PARTS.length ** digit) % PARTS.length]).join("");
  return encodeOctetsQuestion(Buffer.from(`${text}${number}`, "latin1"), "org");
}

/** With the question's very octets, which dns-packet would take for UTF-8. */
function answerOctets({ wire }: Asked): Reply {
  const answer = Buffer.from("c00c000100010000012c0004c0000201", "hex");
  const header = Buffer.from(wire.subarray(0, HEADER));
  // QR, and RD as it was asked (RFC 1035, section 4.1.1); then one question and one answer.
  header.writeUInt16BE(0x8000 | FLAGS.RA | (wire.readUInt16BE(2) & FLAGS.RD), 2);
  header.set([0, 1, 0, 1, 0, 0, 0, 0], 4);
  return { messages: [Buffer.concat([header, wire.subarray(HEADER, endOfQuestion(wire)), answer])] };
}

function endOfQuestion(wire: Buffer): number {
  let at = HEADER;
  while ((wire[at] ?? 0) !== 0) at += 1 + (wire[at] ?? 0);
  return at + 5;
}
