/**
 * Names of the mesh that nobody has asked for yet: the worker answers them by itself, beside Istio's agent with the same
 * name table. Each server has a core to itself, one after the other; the loader has the other core.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { askEachOnce } from "../../../bench/loaders.ts";
import { goProgram } from "../../../bench/peers/go-program.ts";
import { cpuMicroseconds, freePort, LOADER_CORE, SERVER_CORE } from "../../../bench/server.ts";
import { eventually } from "../../e2e/clients/deadline.ts";
import { askUdp } from "../../e2e/clients/udp.ts";
import { encodeQuestion } from "../../e2e/dns.ts";
import { Program } from "../../e2e/process.ts";
import { Stack } from "../../e2e/stack.ts";
import { decisionsMade } from "../decisions.ts";
import { type Proof, type Report, scaled } from "../proof.ts";
import { type CrowdSize, clusterAddressOf, isHeadless, nameOf, startCrowd } from "./crowd.ts";

const SERVICES = 20_000;
const NAMESPACES = 100;
/** Names that are asked first, so that what is measured is names, and not a program's first steps. */
const FIRST = 1000;
const SECONDS_TO_WAIT = 120;

const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: { name: everybody }
spec: { match: [{ cidrs: ["127.0.0.0/8"] }], upstream: public, isolation: { discover: All } }
`;

const agent = goProgram("istio-agent", "1.26");

interface Files {
  readonly first: string;
  readonly others: string;
}

export const meshCold: Proof = {
  name: "mesh-cold",
  what: "names of the mesh that nobody has asked for yet: no round trip, for no more CPU than Istio's agent takes",
  async run(scale, report) {
    const size = { services: scaled(SERVICES, scale, 8000), namespaces: NAMESPACES };
    const api = await startCrowd(size);
    try {
      const stack = await Stack.start({
        policy: POLICY,
        upstreams: { public: {} },
        serve: () => ["--kubernetes", api.config],
      });
      try {
        await prove(stack, size, scale, report);
      } finally {
        await stack.stop();
      }
    } finally {
      await api.stop();
    }
  },
};

async function prove(stack: Stack, size: CrowdSize, scale: number, report: Report): Promise<void> {
  const numbers = Array.from({ length: size.services }, (_, index) => index).filter((index) => !isHeadless(index));
  const lines = numbers.map((number) => `${nameOf(number, size)} A\n`);
  const files = { first: `${stack.directory}/first`, others: `${stack.directory}/others` };
  await writeFile(files.first, lines.slice(0, FIRST).join(""));
  await writeFile(files.others, lines.slice(FIRST).join(""));

  const { port } = stack.ask.at("udp");
  await answers(port, nameOf(numbers.at(-1) ?? 0, size));
  await pin(stack.envoy.pid, SERVER_CORE);
  await pin(stack.service.program.pid, LOADER_CORE);
  await askEachOnce(port, files.first);
  const before = await decisionsMade(stack);
  const ours = await costOf(port, stack.envoy.pid, files, lines.length - FIRST);
  // A worker tells what it has counted once a second.
  await pause(2000);
  report.figure("names, each asked once", lines.length - FIRST);
  report.atMost("decisions that the policy service was asked for", (await decisionsMade(stack)) - before, 0);
  report.atMost("names that reached the upstream", stack.upstream().asked.length, 0);
  report.figure("us of CPU a query", ours);

  // At a part of the size, where it is built already: that takes minutes.
  if (scale < 1 && !agent.isBuilt) {
    report.figure("us of CPU a query of Istio's agent", "not built");
    return;
  }
  const missing = await agent.missing();
  if (missing !== undefined) throw new Error(missing);
  const table = `${stack.directory}/table`;
  await writeFile(
    table,
    numbers.map((number) => `${nameOf(number, size)} ${clusterAddressOf(number, size)}\n`).join(""),
  );
  const theirs = await costOfAgent(table, nameOf(numbers[0] ?? 0, size), files, numbers.length);
  report.figure("us of CPU a query of Istio's agent", theirs);
  report.inTime("us of CPU a query, in terms of that", ours / theirs, 1);
}

async function costOfAgent(table: string, first: string, files: Files, names: number): Promise<number> {
  const port = await freePort();
  const program = new Program("Istio's agent", agent.path, [`127.0.0.1:${port}`, table]);
  try {
    await answers(port, first);
    await pin(program.pid, SERVER_CORE);
    await askEachOnce(port, files.first);
    return await costOf(port, program.pid, files, names - FIRST);
  } finally {
    await program.stop();
  }
}

/** In microseconds of CPU. */
async function costOf(port: number, pid: number, files: Files, names: number): Promise<number> {
  const before = cpuMicroseconds(pid);
  const { answered } = await askEachOnce(port, files.others);
  const used = cpuMicroseconds(pid) - before;
  if (answered !== names) throw new Error(`expected ${names} answers, got ${answered}`);
  return used / answered;
}

function answers(port: number, name: string): Promise<unknown> {
  return eventually(SECONDS_TO_WAIT * 1000, `${name} is answered`, async () => {
    const question = encodeQuestion(name);
    const answer = await askUdp({ host: "127.0.0.1", port }, question, { timeoutMs: 2000 }).catch(() => undefined);
    return answer?.rcode === "NOERROR" && answer.answers.length === 1;
  });
}

/** A process with all its threads. */
async function pin(pid: number, core: number): Promise<void> {
  await promisify(execFile)("taskset", ["-a", "-cp", String(core), String(pid)]);
}
