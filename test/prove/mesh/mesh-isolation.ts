/**
 * Fifty namespaces, each of which asks for all names of all others in every form: what is exported is seen, and what is
 * hidden cannot be told from what is not there, neither by its octets nor by its time.
 */
import { setTimeout as pause } from "node:timers/promises";
import { UdpClient } from "../../e2e/clients/udp.ts";
import { type Answer, encodeQuestion } from "../../e2e/dns.ts";
import { Stack } from "../../e2e/stack.ts";
import { type Proof, type Report, scaled } from "../proof.ts";

const NAMESPACES = 50;
/** Questions for what is hidden, and as many for what is not there, whose times are compared. */
const TIMED = 20_000;
/** Kolmogorov and Smirnov's: two samples of one distribution are further apart once in a thousand times. */
const CRITICAL = 1.95;
const AGEING_TRIES = 6;
const AGEING_MS = 70;

/** Of each namespace: a name as those that are there have it, and as one has it that is not. They are of one length. */
const HIDDEN = "hidden";
const MISSING = "absent";

/** What a namespace has. `%` is its number, which is also in its addresses. */
const OBJECTS = `apiVersion: v1
kind: Service
metadata: { name: shown, namespace: n% }
spec: { clusterIP: 10.1.%.1, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: first, namespace: n%, annotations: { networking.istio.io/exportTo: n10 } }
spec: { clusterIP: 10.1.%.2, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: hidden, namespace: n%, annotations: { networking.istio.io/exportTo: "." } }
spec: { clusterIP: 10.1.%.3, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: entry, namespace: n% }
spec:
  hosts: [host.hidden.n%.example, "*.wild.hidden.n%.example"]
  resolution: STATIC
  endpoints: [{ address: 192.0.2.% }]
  ports: [{ number: 80, name: http }]
  exportTo: ["."]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: virtual, namespace: n% }
spec: { hosts: [virtual.hidden.n%.example], resolution: DNS, exportTo: ["."] }
`;

/** Forms of a name: `@` is hidden or absent, % the namespace that has it, & the one that asks. */
const FORMS: readonly (readonly [name: string, type: string])[] = [
  ["@.n%.svc.cluster.local", "A"],
  ["@.n%.svc.cluster.local", "AAAA"],
  ["@.n%.svc.cluster.local", "SRV"],
  ["@.n%.svc.cluster.local", "TXT"],
  ["@.n%.svc.cluster.local", "CNAME"],
  ["_http._tcp.@.n%.svc.cluster.local", "SRV"],
  ["_tcp.@.n%.svc.cluster.local", "A"],
  ["below.@.n%.svc.cluster.local", "A"],
  // As a resolver with the tenant's search list asks for hidden.n10 and hidden.n10.svc.
  ["@.n%.n&.svc.cluster.local", "A"],
  ["@.n%.svc.n&.svc.cluster.local", "A"],
  ["@.n%.svc.cluster.local.n&.svc.cluster.local", "A"],
  ["host.@.n%.example", "A"],
  ["one.wild.@.n%.example", "A"],
  ["virtual.@.n%.example", "A"],
  ["virtual.@.n%.example", "AAAA"],
];

export const meshIsolation: Proof = {
  name: "mesh-isolation",
  what: "50 namespaces ask for all others' names in all forms: what is hidden is as what is missing, in octets and in time",
  async run(scale, report) {
    const numbers = Array.from({ length: scaled(NAMESPACES, scale, 6) }, (_, index) => index + 10);
    const policy = [...numbers.map(tenant), settings, ...numbers.map((number) => numbered(OBJECTS, number))];
    const stack = await Stack.start({ policy: policy.join("---\n"), upstreams: { public: {} } });
    try {
      const clients = new Map<number, UdpClient>();
      for (const number of numbers) {
        clients.set(number, await UdpClient.open(stack.ask.at("udp"), `127.1.${number}.1`));
      }
      await prove(clients, scaled(TIMED, scale, 1000), report);
      for (const client of clients.values()) client.close();
      const left = stack.upstream().asked.filter(({ name }) => /cluster\.local$/.test(name));
      report.atMost("names of the mesh's zones that reached the upstream", left.length, 0);
    } finally {
      await stack.stop();
    }
  },
};

const tenant = (number: number) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: { name: n${number} }
spec:
  match: [{ cidrs: ["127.1.${number}.0/24"] }]
  upstream: public
  namespaces: [n${number}]
  isolation: { discover: All }
  searchDomains: [n${number}.svc.cluster.local, svc.cluster.local, cluster.local]
`;

const settings = `apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: { name: default }
spec: { mesh: { virtualAddresses: {} } }
`;

function numbered(text: string, number: number): string {
  return text.replaceAll("%", String(number));
}

async function prove(clients: ReadonlyMap<number, UdpClient>, timed: number, report: Report): Promise<void> {
  let [pairs, different, unseen, leaked, ownUnseen] = [0, 0, 0, 0, 0];
  for (const [asking, client] of clients) {
    const count = async (name: string) => (await askFor(client, name, "A")).answers.length;
    if ((await count(`hidden.n${asking}.svc.cluster.local`)) !== 1) ownUnseen++;
    for (const having of clients.keys()) {
      if (having === asking) continue;
      const of = `n${having}.svc.cluster.local`;
      if ((await count(`shown.${of}`)) !== 1) unseen++;
      if ((await count(`first.${of}`)) !== (asking === 10 ? 1 : 0)) leaked++;
      for (const [form, type] of FORMS) {
        const name = numbered(form, having).replace("&", String(asking));
        pairs++;
        // What a search comes to may be an alias: of a name that is nobody's here.
        const { answers } = await askFor(client, name.replace("@", HIDDEN), type);
        if (answers.some((record) => record.type !== "CNAME")) leaked++;
        if (!(await areEqual(client, name, type))) different++;
      }
      // An address is a name, too.
      pairs++;
      if (!(await areEqual(client, `@.${having}.1.10.in-addr.arpa`, "PTR", "3", "4"))) different++;
    }
  }
  report.figure("namespaces", clients.size);
  report.figure("questions for what is hidden, each with one for what is missing", pairs);
  report.atMost("own names that were not seen", ownUnseen, 0);
  report.atMost("exports that were not seen", unseen, 0);
  report.atMost("hidden names that were seen", leaked, 0);
  report.atMost("answers to what is hidden that are other than those to what is missing", different, 0);
  const distance = await compareTimes([...clients.values()][0], [...clients.keys()][1] ?? 0, timed);
  report.figure("questions of each sort, timed", timed);
  report.atMost("distance of their times' distributions, in terms of what chance makes of it", distance, CRITICAL);
}

/**
 * Whether the answers are the same but for the name. Those of an upstream grow older by the second, each from a moment of
 * its own: then they are asked for again a little later.
 */
async function areEqual(client: UdpClient, name: string, type: string, hidden = HIDDEN, missing = MISSING) {
  for (let times = 0; times < AGEING_TRIES; times++, await pause(AGEING_MS)) {
    const [first, second] = [
      await askFor(client, name.replace("@", hidden), type),
      await askFor(client, name.replace("@", missing), type),
    ];
    const renamed = Buffer.from(first.wire.toString("latin1").replaceAll(labelOf(hidden), labelOf(missing)), "latin1");
    if (renamed.equals(second.wire)) return true;
  }
  return false;
}

function labelOf(text: string): string {
  return String.fromCharCode(text.length) + text;
}

function askFor(client: UdpClient, name: string, type: string): Promise<Answer> {
  return client.ask(encodeQuestion(name, { id: 4711, type }));
}

/** The two-sample statistic of Kolmogorov and Smirnov of the times of answers, in turns that chance decides. */
async function compareTimes(client: UdpClient | undefined, having: number, count: number): Promise<number> {
  if (client === undefined) throw new Error("expected a client");
  const times: Record<string, number[]> = { [HIDDEN]: [], [MISSING]: [] };
  let state = 1;
  const questions = Object.fromEntries(
    [HIDDEN, MISSING].map((label) => [label, encodeQuestion(`${label}.n${having}.svc.cluster.local`, { id: 4711 })]),
  );
  while (Math.min(...Object.values(times).map(({ length }) => length)) < count) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const label = state >>> 31 === 0 ? HIDDEN : MISSING;
    const started = performance.now();
    await client.ask(questions[label] as Buffer);
    times[label]?.push(performance.now() - started);
  }
  const [a = [], b = []] = Object.values(times).map((list) => list.sort((x, y) => x - y));
  let [i, j, most] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    if ((a[i] ?? 0) <= (b[j] ?? 0)) i++;
    else j++;
    most = Math.max(most, Math.abs(i / a.length - j / b.length));
  }
  return most * Math.sqrt((a.length * b.length) / (a.length + b.length));
}
