/**
 * What an event costs the filter: the code that writes it, alone, in V8 as in Envoy. `npx tsx bench/events.ts`
 */
import protobuf from "protobufjs";
import { encodeQuestion } from "../test/e2e/dns.ts";
import { compile, instantiate } from "../test/filter/build.ts";

const EVENTS = 2_000_000;

const instance = await instantiate(await compile("test/filter/telemetry/entry/events.ts"));
const { entry } = instance;
const call = (name: string, ...values: number[]) => Number(entry[name]?.(...values));
const put = (octets: Uint8Array) => {
  instance.memory().set(octets, call("inputAt"));
  return octets.length;
};

call("putQuestion", put(encodeQuestion("www.shop.example.com", { edns: 1232 })));
const root = new protobuf.Root();
root.loadSync("protos/sync.proto", { keepCase: true });
const Verdict = root.lookupType("dns.mesh.v1.Verdict");
const verdict = {
  revision: 1,
  client: { subject: 1, tenant: "frontend", prefix: 32 },
  scope: { extent: 2 },
  forward: { upstream: 1, view: 1 },
  policy: "frontend-no-com",
  rule: "accept-org",
};
if (call("putVerdict", put(Verdict.encode(Verdict.fromObject(verdict)).finish())) !== 1) throw new Error("no verdict");
const record = Buffer.from("c00c000100010000012c0004c0000201", "hex");
call("putAnswer", put(Buffer.concat([record, record])), 6, record.length + 6);

call("run", 200_000);
for (let round = 0; round < 5; round++) {
  const before = process.cpuUsage();
  const octets = call("run", EVENTS);
  const nanoseconds = (process.cpuUsage(before).user * 1e3) / EVENTS;
  console.log(`${nanoseconds.toFixed(0)} ns and ${(octets / EVENTS).toFixed(0)} octets an event`);
}
if (call("dropped") !== 0) throw new Error("events were dropped");
