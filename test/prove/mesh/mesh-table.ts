/**
 * The mesh table: names of a cluster, asked by three tenants over every transport. What is expected was written from
 * "Kubernetes DNS-Based Service Discovery" 1.1 and Istio's documentation, section by section.
 */
import { readFileSync } from "node:fs";
import { type Answer, encodeQuestion, FLAGS } from "../../e2e/dns.ts";
import { Stack, type StackOptions } from "../../e2e/stack.ts";
import type { Client } from "../../e2e/target.ts";
import type { Proof, Report } from "../proof.ts";
import { inFull, openWays } from "../transports.ts";

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

interface Row {
  readonly line: number;
  readonly client: Client;
  readonly name: string;
  readonly type: string;
  readonly rcode: string;
  /** `TYPE DATA`, in any order behind the aliases. */
  readonly records: readonly string[];
  /** Owner of the SOA; undefined where that is the upstream's to say. */
  readonly soa: string | undefined;
}

export function readQuestions(): readonly Row[] {
  return read("questions.txt")
    .split("\n")
    .flatMap((text, index) => {
      if (text === "" || text.startsWith("#")) return [];
      const [client, name = "", type = "", rcode = "", ...rest] = text.split(" ");
      const soa = rest[0] === "soa" ? rest[1] : undefined;
      const records = rest.length === 0 || soa !== undefined ? [] : rest.join(" ").split("; ");
      return [{ line: index + 1, client: client as Client, name, type, rcode, records, soa }];
    });
}

interface MeshStackOptions extends Pick<StackOptions, "concurrency" | "dnsPort"> {
  /** The block that its programs ask from. */
  readonly frontend?: string;
}

export function startMeshStack({ frontend = "127.0.1.0/24", ...options }: MeshStackOptions = {}): Promise<Stack> {
  return Stack.start({
    policy: read("world.yaml").replace("127.0.1.0/24", frontend),
    upstreams: { public: { zone: read("upstream.zone.txt") } },
    ...options,
  });
}

export const meshTable: Proof = {
  name: "mesh-table",
  what: "names of the mesh, by the specification's every section, over every transport, for three tenants",
  async run(_scale, report) {
    const stack = await startMeshStack();
    try {
      const rows = readQuestions();
      let answers = 0;
      for (const client of ["frontend", "backend", "platform"] as const) {
        answers += await askAll(stack, client, rows, report);
      }
      report.atMost("answers that began with an address of another zone", await countFar(stack), 0);
      report.atLeast("questions", rows.length, 120);
      report.figure("answers", answers);
      const left = stack.upstream().asked.filter(({ name }) => /cluster\.local$|240\.240\.in-addr\.arpa$/.test(name));
      report.atMost("names of the mesh's zones that reached the upstream", left.length, 0);
    } finally {
      await stack.stop();
    }
  },
};

async function askAll(stack: Stack, client: Client, rows: readonly Row[], report: Report): Promise<number> {
  const { ways, close } = await openWays(stack.ask, client);
  let answers = 0;
  try {
    for (const row of rows.filter((one) => one.client === client)) {
      const told = new Map<string, string>();
      for (const [way, ask] of ways) {
        const answer = await ask(encodeQuestion(row.name, { type: row.type, edns: 1232 }));
        answers++;
        told.set(way, inFull(answer));
        const wrong = whatIsWrong(row, answer);
        report.check(wrong === undefined, `questions.txt:${row.line} over ${way}: ${wrong}`);
      }
      report.check(new Set(told.values()).size === 1, `questions.txt:${row.line}: expected equal answers`);
    }
  } finally {
    await close();
  }
  return answers;
}

/** world.yaml has two addresses in the zone of the Envoy's node, and two elsewhere. */
async function countFar(stack: Stack): Promise<number> {
  const near = ["10.246.0.2", "10.246.0.4"];
  let far = 0;
  for (let times = 0; times < 50; times++) {
    const { answers } = await stack.ask.udp(encodeQuestion("spread.data.svc.cluster.local"), "frontend");
    if (answers.slice(0, 2).some(({ data }) => !near.includes(data))) far++;
  }
  return far;
}

/** Undefined for what is expected. */
function whatIsWrong({ name, rcode, records, soa }: Row, answer: Answer): string | undefined {
  if (answer.rcode !== rcode) return `expected ${rcode}, got ${answer.rcode} ${JSON.stringify(answer.answers)}`;
  const got = answer.answers.map(({ type, data }) => `${type} ${data}`);
  const left = [...got];
  for (const expected of records) {
    const at = left.findIndex((one) => matches(expected, one));
    if (at < 0) return `expected ${expected}, got ${got.join("; ") || "nothing"}`;
    left.splice(at, 1);
  }
  if (left.length > 0) return `expected no more than ${records.join("; ") || "nothing"}, got ${left.join("; ")}`;
  let owner = name.toLowerCase();
  for (const record of answer.answers) {
    if (record.name.toLowerCase() !== owner) return `expected records of ${owner}, got one of ${record.name}`;
    if (record.type === "CNAME") owner = record.data.toLowerCase();
  }
  if (soa === undefined) return undefined;
  const found = answer.authorities.find(({ type }) => type === "SOA")?.name.toLowerCase();
  if (found !== soa) return `expected the SOA of ${soa}, got that of ${found}`;
  const denied = answer.ede.length > 0;
  return denied || (answer.flags & FLAGS.AA) !== 0 ? undefined : "expected AA, got an answer without";
}

function matches(expected: string, got: string): boolean {
  const pattern = /^(\S+) \/(.*)\/$/.exec(expected);
  if (pattern === null) return expected.toLowerCase() === got.toLowerCase();
  return new RegExp(`^${pattern[1]} ${pattern[2]}$`).test(got);
}
