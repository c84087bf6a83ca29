/**
 * Endpoints that change a thousand times a second under load: every answer is one that was true a moment ago, and the
 * worker does not feel it.
 *
 * The source is a Kubernetes API; each service has one endpoint, whose address is the number of the change that brought
 * it. So an answer says of itself until when it was true.
 */
import { setTimeout as pause } from "node:timers/promises";
import { cpuMicroseconds } from "../../../bench/server.ts";
import { eventually } from "../../e2e/clients/deadline.ts";
import { encodeQuestion } from "../../e2e/dns.ts";
import { Stack } from "../../e2e/stack.ts";
import { StandInApi } from "../../extproc/mesh/stand-in-api.ts";
import { Load } from "../load.ts";
import { type Proof, type Report, scaled } from "../proof.ts";
import { CoreLooks, threadsNamed } from "./core-time.ts";
import { addressOf, type CrowdSize, crowd, nameOf, SERVICES_PATH, SLICES_PATH, service, slice } from "./crowd.ts";

const SECONDS = 30;
const QUERIES = 20_000;
const CHANGES = 1000;
const TRUE_WITHIN_MS = 100;
const COST_RATIO = 1.3;
const BEAT_MS = 5;

const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: { name: frontend }
spec: { match: [{ cidrs: ["127.0.1.0/24"] }], upstream: public, isolation: { discover: All } }
`;

export const meshChurn: Proof = {
  name: "mesh-churn",
  what: "1,000 endpoint changes/s under 20,000 queries/s: every answer was true within the last 100 ms, at the usual cost",
  async run(scale, report) {
    const size = { services: scaled(CHANGES, scale, 200), namespaces: 10 };
    const churn = await Churn.start(size);
    try {
      const stack = await Stack.start({
        policy: POLICY,
        upstreams: { public: {} },
        serve: () => ["--kubernetes", churn.api.config],
      });
      try {
        await prove(stack, churn, size, scale, report);
      } finally {
        await stack.stop();
      }
    } finally {
      churn.stop();
      await churn.api.stop();
    }
  },
};

async function prove(stack: Stack, churn: Churn, size: CrowdSize, scale: number, report: Report): Promise<void> {
  const rate = scaled(QUERIES, scale, 2000);
  const milliseconds = scaled(SECONDS * 1000, scale, 3000);
  const names = Array.from({ length: size.services }, (_, index) => nameOf(index, size));
  await eventually(20_000, "names of the mesh are answered", async () => {
    const question = encodeQuestion(names.at(-1) ?? "");
    return (await stack.ask.udp(question, "frontend", 2000).catch(() => undefined))?.rcode === "NOERROR";
  });
  const measure = async () => {
    const late: number[] = [];
    /** Those that were too late: when what they say had been replaced, and when they were asked for. */
    const tooLate: { readonly from: number; readonly to: number }[] = [];
    let failed = 0;
    const load = await Load.start({
      server: stack.ask.at("udp"),
      from: stack.ask.from("frontend"),
      rate,
      names,
      onAnswer: (name, rcode, sentAt, _cameAt, message) => {
        const untrueSince = rcode === 0 ? churn.untrueSince(name, message) : undefined;
        if (untrueSince === undefined) {
          failed++;
          return;
        }
        late.push(Math.max(0, sentAt - untrueSince));
        if (sentAt - untrueSince > TRUE_WITHIN_MS) tooLate.push({ from: untrueSince, to: sentAt });
      },
    });
    await pause(1000);
    const [cpu, answered, started] = [cpuMicroseconds(stack.envoy.pid), load.answered, performance.now()];
    await pause(milliseconds);
    const cost = (cpuMicroseconds(stack.envoy.pid) - cpu) / (load.answered - answered);
    const perSecond = ((load.answered - answered) * 1000) / (performance.now() - started);
    const { sent, answered: all } = await load.stop();
    late.sort((a, b) => a - b);
    return { cost, perSecond, failed: failed + sent - all, sent, late, tooLate };
  };
  const { pid } = stack.service.program;
  const looks = new CoreLooks([pid, stack.envoy.pid]);
  const quiet = await measure();
  const began = performance.now();
  churn.begin(scaled(CHANGES, scale, 200));
  const busy = await measure();
  const ended = performance.now();
  churn.stop();
  looks.stop();
  const meshThread = looks.busierSince(began);
  const ofChanges = looks.between([meshThread], began, ended);
  // A change goes by these, in this order.
  const way = [meshThread, String(pid), ...threadsNamed(stack.envoy.pid, "wrk:")];
  const withCores = busy.tooLate.filter(
    ({ from, to }) => to - from - looks.between(way, from, to).waited * 1000 > TRUE_WITHIN_MS,
  );

  report.figure("services", size.services);
  report.figure("queries a second", busy.perSecond);
  report.atRate("changes a second", churn.perSecond, scaled(CHANGES, scale, 200) * 0.9);
  report.figure("answers", busy.late.length);
  report.atMost("questions without an answer of the name's own", busy.failed, 0);
  report.figure("of 1,000 answers, so many ms after what they say was true, at most", at(busy.late, 0.999));
  report.figure("of all, at most", busy.late.at(-1) ?? 0);
  report.atMost(`answers that had not been true for ${TRUE_WITHIN_MS} ms`, busy.tooLate.length, 0);
  report.figure("of these, without what the change waited for a core that others had", withCores.length);
  report.figure("us that the mesh thread ran for a change", (ofChanges.ran * 1e6) / churn.count);
  report.figure("us that it waited for a core that others had", (ofChanges.waited * 1e6) / churn.count);
  report.figure("us of CPU a query while nothing changes", quiet.cost);
  report.inTime("us of CPU a query, in terms of that", busy.cost / quiet.cost, COST_RATIO);
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Changes one service's endpoint after the other's. */
class Churn {
  readonly api: StandInApi;
  readonly #size: CrowdSize;
  /** By number of the change: when it was told. The first of each service was there from the beginning. */
  readonly #times: number[];
  readonly #numbers: Map<string, number>;
  #timer: NodeJS.Timeout | undefined;
  #beganAt = 0;
  #endedAt = 0;

  static async start(size: CrowdSize): Promise<Churn> {
    const objects = (make: (index: number) => ReturnType<typeof service>) => () =>
      Array.from({ length: size.services }, (_, index) => make(index));
    const headless = (index: number) => {
      const object = service(index, size);
      return { ...object, spec: { clusterIP: "None", ports: [{ name: "http", port: 80 }] } };
    };
    const lists = {
      ...crowd(size),
      [SERVICES_PATH]: objects(headless),
      [SLICES_PATH]: objects((index) => slice(index, size, [addressOf(index)])),
    };
    return new Churn(await StandInApi.start(lists), size);
  }

  private constructor(api: StandInApi, size: CrowdSize) {
    this.api = api;
    this.#size = size;
    this.#times = Array.from({ length: size.services }, () => 0);
    this.#numbers = new Map(Array.from({ length: size.services }, (_, index) => [nameOf(index, size), index]));
  }

  begin(perSecond: number): void {
    this.#beganAt = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - this.#beganAt) * perSecond) / 1000) + this.#size.services;
      const numbers = Array.from({ length: due - this.#times.length }, (_, index) => this.#times.length + index);
      for (const number of numbers) this.#change(number);
      // What is written leaves this process when its sockets are uncorked, which is before this: until then, this process
      // may have been collecting garbage.
      process.nextTick(() => {
        for (const number of numbers) this.#times[number] = performance.now();
      });
    }, BEAT_MS);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#endedAt = performance.now();
  }

  get count(): number {
    return this.#times.length - this.#size.services;
  }

  get perSecond(): number {
    return (this.count * 1000) / (this.#endedAt - this.#beganAt);
  }

  /** When what an answer says was replaced; Infinity for what is true; undefined for an answer that never was. */
  untrueSince(name: string, message: Buffer): number | undefined {
    const number = message.readUInt32BE(message.length - 4) & 0xff_ff_ff;
    const { services } = this.#size;
    const isOne = message.readUInt16BE(6) === 1 && message[message.length - 4] === 10;
    if (!isOne || number % services !== this.#numbers.get(name) || number >= this.#times.length) return undefined;
    return this.#times[number + services] ?? Number.POSITIVE_INFINITY;
  }

  #change(number: number): void {
    const index = number % this.#size.services;
    const object = slice(index, this.#size, [addressOf(number)]);
    object.metadata.resourceVersion = this.api.nextVersion();
    this.api.tell(SLICES_PATH, "MODIFIED", object);
  }
}
