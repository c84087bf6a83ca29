/**
 * The command behind `npm start`: flags, lines to try, signals.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Demo, defaultWorkers } from "./demo.ts";
import { defaultPorts, type Ports } from "./ports.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Ctrl-C is somebody waiting; SIGTERM is a machine that gives us the usual 30 s. */
const patience = { SIGINT: 1000, SIGTERM: 30_000 } as const;

export async function main(args: string[], envoy: string): Promise<void> {
  const options = parse(args);
  if (options === undefined) return;
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const demo = await Demo.create({ ...options, envoy, root, say });
  let stopping: Promise<void> | undefined;
  const stop = (ms: number): Promise<void> => {
    stopping ??= demo.stop(ms);
    return stopping;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping === undefined) say("stopping");
      // The second time means now.
      else if (signal === "SIGINT") demo.kill();
      void stop(patience[signal]);
    });
  }
  try {
    await demo.start();
    if (stopping === undefined) say(lines(demo, options.ports));
  } catch (error) {
    if (stopping === undefined) {
      await stop(0);
      throw error;
    }
  }
}

function parse(args: string[]): { ports: Ports; policy: string; concurrency: number } | undefined {
  const flags = Object.fromEntries(Object.keys(defaultPorts).map((flag) => [flag, { type: "string" as const }]));
  const { values } = parseArgs({
    args,
    options: {
      ...flags,
      policy: { type: "string", default: join(root, "examples", "demo.yaml") },
      workers: { type: "string", default: String(defaultWorkers) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    const ports = Object.entries(defaultPorts).map(([flag, port]) => `[--${flag} ${port}]`);
    process.stdout.write(`npm start -- ${ports.join(" ")} [--workers N] [--policy FILE]\n`);
    return undefined;
  }
  const ports = { ...defaultPorts };
  for (const flag of Object.keys(defaultPorts) as (keyof Ports)[]) {
    const value = (values as Record<string, unknown>)[flag];
    if (value !== undefined) ports[flag] = wholeNumber(flag, String(value), 65_535);
  }
  return { ports, policy: String(values.policy), concurrency: wholeNumber("workers", String(values.workers), 256) };
}

function wholeNumber(flag: string, value: string, most: number): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new Error(`--${flag}: expected a number from 1 to ${most}, got ${value}`);
}

function lines({ files }: Demo, ports: Ports): string {
  const tls = `+tls-ca=${files.ca} +tls-hostname=localhost`;
  const dig = `@127.0.0.1 -p ${ports.udp} www.example.com`;
  return `
DNS is answered. The page is http://127.0.0.1:${ports.api}/

Eight lines to try, in another terminal:

  dig -b 127.0.1.1 ${dig}
      frontend: denied by policy, NXDOMAIN with EDE 15 (Blocked)
  dig -b 127.0.2.1 ${dig}
      backend: answered, forwarded over DoT
  kdig -b 127.0.2.1 @127.0.0.1 -p ${ports.dot} +tls ${tls} www.example.org
      the same over DoT
  kdig -b 127.0.3.1 @127.0.0.1 -p ${ports.doh} +https ${tls} git.corp.example
      platform, over DoH: a name that is forwarded over DoH to another upstream
  dig -b 127.0.1.1 @127.0.0.1 -p ${ports.udp} db.data.svc.cluster.local
      frontend, which may know the backend's names: the ready endpoints of a headless service
  dig -b 127.0.2.1 @127.0.0.1 -p ${ports.udp} shop.web.svc.cluster.local
      backend, which may not know the frontend's: NXDOMAIN, as of a name that is not there
  dig -b 127.0.2.1 @127.0.0.1 -p ${ports.udp} api.partner.example
      a host outside that has no address: one of 240.240.0.0/16 that it keeps
  curl -s http://127.0.0.1:${ports.api}/metrics
      what happened, per tenant (demo only: elsewhere this is a Unix socket)

CA, a client certificate and logs are in ${files.ca.replace(/[^/]+$/, "")}
Ctrl-C stops everything.
`;
}
