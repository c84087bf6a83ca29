/**
 * The local upstream as a program of its own: in compose, and wherever no supervisor is wanted.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Upstream } from "./upstream.ts";
import { parseZone } from "./zone.ts";

const { values } = parseArgs({
  options: {
    zone: { type: "string" },
    certificate: { type: "string" },
    key: { type: "string" },
    address: { type: "string", default: "127.0.0.1" },
    udp: { type: "string" },
    tcp: { type: "string" },
    dot: { type: "string" },
    doh: { type: "string" },
  },
});
if (values.zone === undefined) throw new Error("--zone: expected a zone file, got none");

const ports = Object.fromEntries(
  (["udp", "tcp", "dot", "doh"] as const).flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [[name, Number(value)]];
  }),
);
const tls =
  values.certificate !== undefined && values.key !== undefined
    ? { certificate: readFileSync(values.certificate, "utf8"), key: readFileSync(values.key, "utf8") }
    : undefined;
const upstream = new Upstream({
  zone: parseZone(readFileSync(values.zone, "utf8"), values.zone),
  address: values.address,
  ports,
  ...(tls ? { tls } : {}),
});
await upstream.start();
process.stdout.write(`upstream listens: ${JSON.stringify(upstream.ports)}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void upstream.stop());
