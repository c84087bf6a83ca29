/**
 * Capture by nftables (nft(8)): a table of our own, put in place in one transaction.
 */
import { createHash } from "node:crypto";
import type { Capture, CaptureState, Rules, RunProgram } from "./rules.ts";

const TABLE = "inet dnspolicy";

export class Nftables implements Rules {
  readonly #run: RunProgram;

  constructor(run: RunProgram) {
    this.#run = run;
  }

  /** A table that is declared, deleted and made anew is there once, whether it was there before or not. */
  plan(capture: Capture): string {
    return `table ${TABLE}\ndelete table ${TABLE}\n${table(capture)}`;
  }

  async install(capture: Capture): Promise<void> {
    await this.#run("nft", ["-f", "-"], this.plan(capture));
  }

  async remove(): Promise<void> {
    await this.#run("nft", ["-f", "-"], `table ${TABLE}\ndelete table ${TABLE}\n`);
  }

  async check(capture: Capture): Promise<CaptureState> {
    const tables = await this.#run("nft", ["list", "tables"]);
    if (!tables.split("\n").includes(`table ${TABLE}`)) return "absent";
    const listed = await this.#run("nft", ["list", "table", ...TABLE.split(" ")]);
    return listed.split(markOf(capture)).length - 1 === rules(capture).length ? "installed" : "other";
  }
}

/** Before the routing decision is made anew (priority dstnat), the address of what is sent becomes the loopback's. */
function table(capture: Capture): string {
  const lines = rules(capture).map((rule) => `    ${rule} comment "${markOf(capture)}"`);
  return `table ${TABLE} {
  chain output {
    type nat hook output priority -100; policy accept;
${lines.join("\n")}
  }
}
`;
}

function rules({ port, users, mark, virtual }: Capture): string[] {
  const { port: virtualPort, ranges = [], resolverPort } = virtual ?? {};
  return [
    ...users.map((user) => `meta skuid ${user} return`),
    ...(mark === undefined ? [] : [`meta mark 0x${mark.toString(16)} return`]),
    `udp dport 53 redirect to :${port}`,
    `tcp dport 53 redirect to :${port}`,
    ...(resolverPort === undefined ? [] : [`ip daddr 127.0.0.1 tcp dport ${resolverPort} redirect to :${port}`]),
    ...ranges.map(
      ({ family, text }) => `${family === 4 ? "ip" : "ip6"} daddr ${text} meta l4proto tcp redirect to :${virtualPort}`,
    ),
  ];
}

/** Each rule says of which capture it is: how the kernel prints a rule is another matter than how it was written. */
function markOf(capture: Capture): string {
  return `dnspolicy ${createHash("sha256").update(rules(capture).join("\n")).digest("hex").slice(0, 16)}`;
}
