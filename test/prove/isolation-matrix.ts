/**
 * Isolation matrix: what each of six tenants gets for each of forty questions over each transport is what a table says that was
 * written by hand, in whichever order the policies stand in their files.
 *
 * In every order the policies have other names, by their places: so neither files nor names have a say.
 */

import { getDns, postDns, readDns } from "../e2e/clients/doh.ts";
import { type Answer, encodeQuestion } from "../e2e/dns.ts";
import { parseZone } from "../e2e/records.ts";
import { CLIENTS, Stack } from "../e2e/stack.ts";
import { Asker } from "../e2e/target.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

/** The address that the table's questions come from, in the order of its columns. */
const TENANTS = {
  front: "127.0.1.1",
  canary: "127.0.1.200",
  back: "127.0.2.1",
  shop: "127.0.2.50",
  data: "127.0.2.51",
  guest: "127.0.9.1",
};

/**
 * A answered; O, X the upstream's own NODATA and NXDOMAIN; N, D, R denied by NXDOMAIN, NODATA and REFUSED; S a sinkhole. Small letters are R over
 * UDP and TCP, and else what the large letter says.
 */
const TABLE = `
                       front canary back shop data guest
www.org.test      A    A     A      A    N    A    A
www.org.test      AAAA O     O      O    N    O    O
www.org.test      TXT  O     O      O    N    O    O
www.org.test      MX   D     D      D    D    D    D
to.org.test       A    A     A      A    N    A    A
out.org.test      A    N     N      A    N    N    N
away.org.test     A    A     A      A    N    A    R
com.test          A    A     A      A    N    A    R
www.com.test      A    N     A      A    N    A    R
ok.com.test       A    A     A      A    N    A    R
a.b.com.test      A    N     A      A    N    A    R
WwW.CoM.tEsT      A    N     A      A    N    A    R
alias.test        A    N     A      A    N    A    R
ads.test          A    A     A      A    N    A    R
track.ads.test    A    N     N      N    N    N    N
a.b.ads.test      A    N     N      N    N    N    N
ok.ads.test       A    A     A      A    N    A    R
ok.ads.test       MX   O     O      O    N    O    R
sneaky.test       A    N     N      N    N    N    R
secret.test       A    a     a      a    n    a    R
secret.test       TXT  o     o      o    n    o    R
sunk.test         A    S     A      A    N    A    R
sunk.test         AAAA D     O      O    N    O    R
sunk.test         TXT  D     O      O    N    O    R
base.test         A    A     A      A    N    A    R
x.base.test       A    N     N      A    N    N    N
vip.base.test     A    A     N      A    N    N    N
ref.test          A    R     R      A    N    R    R
ref.test          AAAA R     R      O    N    R    R
net.test          A    A     A      A    N    A    R
a.net.test        A    A     A      A    N    N    R
tonet.test        A    A     A      A    N    N    R
shop.test         A    A     A      A    N    A    R
www.shop.test     A    A     A      A    A    A    R
a.b.shop.test     A    A     A      A    A    A    R
in.shop.test      A    A     A      A    A    A    R
alias.shop.test   A    N     A      A    N    A    R
pay.test          A    A     A      A    A    A    R
www.pay.test      A    A     A      A    N    A    R
gone.invalid      A    X     X      X    N    X    R
`;

const ZONE = parseZone(`
*.test 300 A 192.0.2.100
to.org.test 300 CNAME www.org.test
out.org.test 300 CNAME x.base.test
away.org.test 300 CNAME pay.test
alias.test 300 CNAME www.com.test
sneaky.test 300 CNAME track.ads.test
tonet.test 300 CNAME a.net.test
in.shop.test 300 CNAME www.shop.test
alias.shop.test 300 CNAME www.com.test
`);
const ADDRESS = "192.0.2.100";
const SINKHOLE = "192.0.2.66";

const HEAD = "apiVersion: dns.mesh/v1alpha1\n";

const WHO = `${HEAD}kind: Tenant
metadata: {name: front}
spec: {match: [{cidrs: ["127.0.1.0/24"]}], upstream: public}
---
${HEAD}kind: Tenant
metadata: {name: canary}
spec: {match: [{cidrs: ["127.0.1.128/25"]}], upstream: public}
---
${HEAD}kind: Tenant
metadata: {name: back}
spec: {match: [{cidrs: ["127.0.2.0/24"]}], upstream: public}
---
${HEAD}kind: Tenant
metadata: {name: shop}
spec: {match: [{namespaces: [shop]}], upstream: public}
---
${HEAD}kind: Tenant
metadata: {name: data}
spec: {match: [{namespaces: [data], podLabels: {matchLabels: {app: locked}}}], upstream: public}
---
${HEAD}kind: Tenant
metadata: {name: guest}
spec: {match: [{cidrs: ["127.0.9.0/24"]}], forward: [{zones: [org.test], upstream: public}]}
---
apiVersion: v1
kind: Pod
metadata: {name: till, namespace: shop, labels: {app: open}}
status: {podIP: ${TENANTS.shop}, podIPs: [{ip: ${TENANTS.shop}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: vault, namespace: data, labels: {app: locked}}
status: {podIP: ${TENANTS.data}, podIPs: [{ip: ${TENANTS.data}}]}`;

/** Each with the name that it is given. */
const POLICIES: readonly ((name: string) => string)[] = [
  (name) => `${HEAD}kind: ClusterDnsPolicy
metadata: {name: ${name}}
spec:
  tier: Admin
  priority: 10
  subject: {}
  rules:
  - {name: exempt, match: {names: [ok.ads.test]}, action: Pass}
  - {name: ads, match: {names: ["*.ads.test"]}, action: Deny}
  - {name: no-mail, match: {names: ["*"], types: [MX]}, action: Deny}
  - {name: plain, match: {names: [secret.test], transports: [UDP, TCP]}, action: Deny, response: {code: REFUSED}}`,
  (name) => `${HEAD}kind: ClusterDnsPolicy
metadata: {name: ${name}}
spec:
  tier: Admin
  priority: 20
  subject: {workloads: {matchLabels: {app: locked}}}
  rules:
  - {name: net, match: {names: ["*.net.test"]}, action: Deny}`,
  (name) => `${HEAD}kind: DnsPolicy
metadata: {name: ${name}}
spec:
  priority: 100
  subject: {tenants: [front]}
  rules:
  - {name: ok, match: {names: [ok.com.test, vip.base.test]}, action: Accept}
  - {name: com, match: {names: ["*.com.test"]}, action: Deny}
  - {name: sunk, match: {names: [sunk.test]}, action: Deny, response: {addresses: [${SINKHOLE}]}}`,
  (name) => `${HEAD}kind: DnsPolicy
metadata: {name: ${name}}
spec:
  priority: 100
  subject: {tenants: [shop]}
  rules:
  - {name: own, match: {names: ["*.shop.test", pay.test]}, action: Accept}
  - {name: nothing-else, match: {names: ["*"]}, action: Deny}`,
  (name) => `${HEAD}kind: ClusterDnsPolicy
metadata: {name: ${name}}
spec:
  tier: Baseline
  priority: 10
  subject: {}
  except: {tenants: [back]}
  rules:
  - {name: base, match: {names: ["*.base.test"]}, action: Deny}
  - {name: ref, match: {names: [ref.test]}, action: Deny, response: {code: REFUSED}}`,
];

interface Question {
  readonly name: string;
  readonly type: string;
  /** A letter for each tenant. */
  readonly expected: readonly string[];
}

const QUESTIONS: readonly Question[] = TABLE.trim()
  .split("\n")
  .slice(1)
  .map((line) => {
    const [name = "", type = "", ...expected] = line.split(/ +/);
    return { name, type, expected };
  });

const ORDERS = permutations(POLICIES.map((_, index) => index));

export const isolationMatrix: Proof = {
  name: "isolation-matrix",
  what: `6 tenants, 5 transports, ${QUESTIONS.length} questions, ${ORDERS.length} orders of the policies: exactly the table written by hand`,
  async run(scale, report) {
    const orders = scaled(ORDERS.length, scale, 2);
    const some = Array.from(
      { length: orders },
      (_, index) => ORDERS[Math.floor((index * ORDERS.length) / orders)] ?? [],
    );
    const upstreams = { public: { zone: ZONE } };
    const stack = await Stack.start({ policy: inOrder(some[0] ?? []), upstreams, concurrency: 2 });
    const doh3 = new Map<string, Awaited<ReturnType<Asker["doh3"]>>>();
    try {
      for (const address of Object.values(TENANTS)) doh3.set(address, await askerOf(stack, address).doh3());
      let answers = 0;
      for (const order of some) {
        await stack.apply(stack.policy({ policy: inOrder(order), upstreams }));
        for (const [column, [tenant, address]] of Object.entries(TENANTS).entries()) {
          const ways = await open(stack, address, doh3.get(address));
          for (const [way, ask] of ways.asks) {
            const told = await Promise.all(
              QUESTIONS.map(async ({ name, type }) => letterOf(await ask(encodeQuestion(name, { type, edns: 1232 })))),
            );
            answers += told.length;
            compare(report, told, { tenant, column, way, order });
          }
          await ways.close();
        }
      }
      report.figure("orders", orders);
      report.atLeast("answers", answers, orders * Object.keys(TENANTS).length * 5 * QUESTIONS.length);
      report.figure("of them otherwise than the table", report.failures.length);
    } finally {
      for (const client of doh3.values()) await client.close();
      await stack.stop();
    }
  },
};

function inOrder(order: readonly number[]): string {
  const policies = order.map((number, place) => POLICIES[number]?.(`p${place}`) ?? "");
  // Who is who may stand anywhere, too.
  return [...policies.slice(0, 2), WHO, ...policies.slice(2)].join("\n---\n");
}

function askerOf(stack: Stack, address: string): Asker {
  return new Asker({ ...stack.target, clients: { ...CLIENTS, frontend: address } });
}

async function open(stack: Stack, address: string, doh3: Awaited<ReturnType<Asker["doh3"]>> | undefined) {
  if (doh3 === undefined) throw new Error(`expected a connection from ${address}, got none`);
  const asker = askerOf(stack, address);
  const [tcp, dot, doh] = [await asker.tcp(), await asker.dot(), await asker.doh()];
  const asks: [way: string, ask: (question: Buffer) => Promise<Answer>][] = [
    ["UDP", (question) => asker.udp(question)],
    ["TCP", (question) => tcp.ask(question)],
    ["DoT", (question) => dot.ask(question)],
    ["DoH", async (question) => readDns(await getDns(doh, question))],
    ["DoH3", async (question) => readDns(await postDns(doh3, question))],
  ];
  const close = async () => {
    tcp.close();
    dot.close();
    await doh.close();
  };
  return { asks, close };
}

function letterOf({ rcode, answers, ede }: Answer): string {
  const explained = ede.length > 0;
  const last = answers.at(-1)?.data;
  if (rcode === "REFUSED" && explained && last === undefined) return "R";
  if (rcode === "NXDOMAIN" && last === undefined) return explained ? "N" : "X";
  if (rcode === "NOERROR" && last === undefined) return explained ? "D" : "O";
  if (rcode === "NOERROR" && last === ADDRESS && !explained) return "A";
  if (rcode === "NOERROR" && last === SINKHOLE && explained && answers.length === 1) return "S";
  return `${rcode} with ${last ?? "nothing"} and ${explained ? "an" : "no"} EDE`;
}

function compare(
  report: Report,
  told: readonly string[],
  asked: { readonly tenant: string; readonly column: number; readonly way: string; readonly order: readonly number[] },
): void {
  const { tenant, column, way, order } = asked;
  for (const [index, { name, type, expected }] of QUESTIONS.entries()) {
    const letter = expected[column] ?? "";
    const isPlain = way === "UDP" || way === "TCP";
    const wanted = letter === letter.toUpperCase() ? letter : isPlain ? "R" : letter.toUpperCase();
    const where = `${name} ${type} of ${tenant} over ${way}, policies ${order.join("")}`;
    report.check(told[index] === wanted, `${where}: expected ${wanted}, got ${told[index]}`);
  }
}

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first) => permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]));
}
