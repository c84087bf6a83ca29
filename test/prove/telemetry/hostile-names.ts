/**
 * Names with quotes, line ends, braces, HTML and 0xFF: metrics parse by Prometheus' own tool, logs and replies as JSON.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { encodeOctetsQuestion } from "../../e2e/dns.ts";
import { type Proof, scaled } from "../proof.ts";
import { lookAt, startObserved } from "./observed.ts";

const NAMES = 5000;
const AT_ONCE = 100;
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
      const count = scaled(NAMES, scale, 100);
      let unanswered = 0;
      for (let first = 0; first < count; first += AT_ONCE) {
        const batch = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) =>
          hostileQuestion(first + index),
        );
        const asked = batch.map((question) => stack.ask.udp(question, "frontend").catch(() => unanswered++));
        await Promise.all(asked);
      }
      report.figure("names", count);
      report.atMost("unanswered", unanswered, 0);
      const told = await lookAt(stack);
      report.figure("by metrics", JSON.stringify(told.metrics));
      report.figure("rows", JSON.stringify(told.rows));
      report.figure("lines", JSON.stringify(told.lines));
      const metrics = await stack.service.metrics();
      const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
        input: metrics,
        encoding: "utf8",
      });
      report.check(status === 0, `promtool: ${stdout}${stderr}`);
      const lines = readFileSync(stack.service.queryLog, "utf8").trimEnd().split("\n");
      const records = lines.map((line) => JSON.parse(line) as { qname: string });
      const unsafe = records.filter(({ qname }) => !/^[\x21-\x7e]+$/.test(qname)).length;
      report.atLeast("lines of the query log", records.length, count);
      report.atMost("names in it that are not plain text", unsafe, 0);
      report.atLeast(
        "rows of the store",
        Object.values(told.rows).reduce((sum, rows) => sum + rows, 0),
        count,
      );
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
