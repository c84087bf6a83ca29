import assert from "node:assert/strict";
import { parseResources } from "../../../extproc/resources/parse.ts";
import { formatProblem } from "../../../extproc/resources/problem.ts";

function problems(text: string): string[] {
  return parseResources(text, "demo.yaml").problems.map(formatProblem);
}

const HEAD = "apiVersion: dns.mesh/v1alpha1\n";

describe("reading resources", () => {
  it("says where a problem is, what was expected and what came", () => {
    const text = `# a comment
${HEAD}kind: Tenant
metadata: {name: frontend}
spec:
  match:
  - cidrs: ["127.0.1.0/24"]
    principal: [x]
  - serverNames: [a.example]
  upstream: public
---
${HEAD}kind: DnsPolicy
metadata: {name: no-com}
spec:
  priority: "100"
  subject: {tenants: [frontend]}
  rules:
  - name: deny-com
    match:
      names: ["*.com", "*.c\u2013m"]
      types: [FOO]
    action: Allow
    response: {ede: Bloked, ttl: 30}
`;
    assert.deepEqual(problems(text), [
      'demo.yaml: document 1, line 8, spec.match[0].principal: expected principals, got the unknown field "principal"',
      "demo.yaml: document 1, line 9, spec.match[1].serverNames: expected principals or cidrs beside it, or `unauthenticated: true`: server names and paths are the client's own claim",
      'demo.yaml: document 2, line 16, spec.priority: expected a number, got "100"',
      'demo.yaml: document 2, line 21, spec.rules[0].match.names[1]: expected ASCII, got U+2013 at character 4 (a dash that only looks like "-"), in "*.c\u2013m"',
      'demo.yaml: document 2, line 22, spec.rules[0].match.types[0]: expected a record type as A, AAAA, HTTPS or TYPE65280, got "FOO"',
      'demo.yaml: document 2, line 23, spec.rules[0].action: expected one of Accept, Deny, Pass, Route, Answer, Ttl, Strip, Fault, RateLimit, Rewrite, Mirror, Decide, got "Allow"',
      'demo.yaml: document 2, line 24, spec.rules[0].response.ede: expected one of Blocked, Filtered, Prohibited, Censored, ForgedAnswer or a map, got "Bloked"',
      "demo.yaml: document 2, line 24, spec.rules[0].response.ttl: expected a string, got 30",
    ]);
  });

  const refused: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
    [
      "a foreign apiVersion",
      "apiVersion: v2\nkind: Pod\n",
      /line 1, apiVersion: expected dns.mesh\/v1alpha1, got "v2"/,
    ],
    [
      "an unknown kind",
      `${HEAD}kind: Tennant\n`,
      /kind: expected one of ClusterDnsPolicy, DnsPolicy, MeshSource, NameList, Settings, Tenant, Upstream, got "Tennant"/,
    ],
    ["a kind out of the prototype", `${HEAD}kind: toString\n`, /kind: expected one of/],
    ["a text", "hello\n", /expected a resource .*got "hello"/],
    ["broken YAML", "a: [1\n", /expected YAML: /],
    ["a key twice", `${HEAD}kind: Tenant\nkind: Tenant\n`, /Map keys must be unique/],
    ["an alias bomb", bomb(), /expected a resource/],
    [
      "a server without its certificate's name",
      `${HEAD}kind: Upstream\nmetadata: {name: u}\nspec: {protocol: DoT, servers: [{address: 192.0.2.1}]}\n`,
      /spec.servers\[0\].serverName: expected the name in the server's certificate, got nothing/,
    ],
    [
      "TLS for a TCP upstream",
      `${HEAD}kind: Upstream\nmetadata: {name: u}\nspec: {protocol: TCP, tls: {}, servers: [{address: 192.0.2.1, path: /x}]}\n`,
      /spec.tls: expected no tls with protocol TCP/,
    ],
    [
      "a CA that is none",
      `${HEAD}kind: Upstream\nmetadata: {name: u}\nspec: {protocol: DoT, tls: {ca: "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----"}, servers: [{address: 192.0.2.1, serverName: a}]}\n`,
      /spec.tls.ca: expected PEM of certificates, of which number 1 is none/,
    ],
    [
      "NXDOMAIN for some types",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {types: [AAAA]}, action: Deny, response: {code: NXDOMAIN}}]}\n`,
      /response.code: expected NODATA or REFUSED where types are given, got NXDOMAIN/,
    ],
    [
      "a response without a denial",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Accept, response: {}}]}\n`,
      /response: expected no response with action Accept/,
    ],
    [
      "two rules of one name",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Pass}, {name: r, match: {names: [a]}, action: Pass}]}\n`,
      /spec.rules\[1\].name: expected a name of its own, got that of spec.rules\[0\]/,
    ],
    [
      "a policy of a tenant that speaks of two",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t, s]}, rules: [{name: r, match: {names: [a]}, action: Pass}]}\n`,
      /line 4, spec.subject.tenants: expected one tenant, of which a DnsPolicy alone may speak, got 2/,
    ],
    [
      "a policy of a tenant that speaks of all",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {}, rules: [{name: r, match: {names: [a]}, action: Pass}]}\n`,
      /spec.subject.tenants: expected a list, got nothing/,
    ],
    [
      "a tier for a policy of a tenant",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {tier: Admin, priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Pass}]}\n`,
      /spec.tier: expected .*, got the unknown field "tier"/,
    ],
    [
      "a tenant's tier for a policy of the cluster",
      `${HEAD}kind: ClusterDnsPolicy\nmetadata: {name: p}\nspec: {tier: Tenant, priority: 1, subject: {}, rules: [{name: r, match: {names: [a]}, action: Pass}]}\n`,
      /spec.tier: expected one of Admin, Baseline, got "Tenant"/,
    ],
    [
      "a match of nothing",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {percent: 5}, action: Deny}]}\n`,
      /rules\[0\].match: expected names, lists, nameRegex, types, transports or schedule, got none/,
    ],
    [
      "a transport of another name",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {transports: [QUIC]}, action: Deny}]}\n`,
      /transports\[0\]: expected one of UDP, TCP, DoT, DoH, DoH3, got "QUIC"/,
    ],
    [
      "a rewrite to nothing",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Rewrite}]}\n`,
      /rewrite: expected a name with action Rewrite, got nothing/,
    ],
    [
      "a rewrite of what is not there",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a.b, "*.xa.b"]}, action: Rewrite, rewrite: {from: a.b, to: c}}]}\n`,
      /names\[1\]: expected names at or below a.b, got \*\.xa\.b/,
    ],
    [
      "a rewrite that comes again",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: ["*.b"]}, action: Rewrite, rewrite: {from: b, to: a.b}}]}\n`,
      /rewrite.to: expected a name that is not below \*\.b, got a\.b: no name is rewritten twice/,
    ],
    [
      "a schedule of no time",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {schedule: {timeZone: UTC}}, action: Deny}]}\n`,
      /match.schedule: expected days or between, got neither/,
    ],
    [
      "a time of day that is none",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {schedule: {between: [8:00, "24:01"]}}, action: Deny}]}\n`,
      /between\[0\]: expected a time of day as 08:30, up to 24:00, got "8:00"/,
    ],
    [
      "a window without a length",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {schedule: {between: ["08:00", "08:00"]}}, action: Deny}]}\n`,
      /schedule.between: expected a beginning and another end/,
    ],
    [
      "a time zone that is none",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {schedule: {days: [Mon], timeZone: Europe/Bonn}}, action: Deny}]}\n`,
      /timeZone: expected a time zone as Europe.Berlin or UTC, got "Europe.Bonn"/,
    ],
    [
      "a day of another language",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {schedule: {days: [Mo]}}, action: Deny}]}\n`,
      /days\[0\]: expected one of Sun, Mon, .*, got "Mo"/,
    ],
    [
      "a percentage of nothing",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a], percent: 0}, action: Deny}]}\n`,
      /match.percent: expected .*0.*, got 0/,
    ],
    [
      "a percentage of more than all",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a], percent: 101}, action: Deny}]}\n`,
      /match.percent: expected 100 or less, got 101/,
    ],
    [
      "a percentage too fine",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a], percent: 0.001}, action: Deny}]}\n`,
      /match.percent: expected hundredths of a percent/,
    ],
    [
      "a Pass by chance",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a], percent: 5}, action: Pass}]}\n`,
      /match.percent: expected no percent with action Pass/,
    ],
    [
      "a sinkhole with a code",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Deny, response: {code: REFUSED, addresses: [192.0.2.1]}}]}\n`,
      /response.code: expected no code beside addresses, got REFUSED/,
    ],
    [
      "an address that is none",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Deny, response: {addresses: [192.0.2.256]}}]}\n`,
      /addresses\[0\]: expected an IPv4 or IPv6 address, got "192.0.2.256"/,
    ],
    [
      "a reason for no answer",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Deny, response: {code: Drop, ede: Blocked}}]}\n`,
      /response.ede: expected no ede with Drop/,
    ],
    [
      "a Route to nowhere",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Route}]}\n`,
      /rules\[0\].route: expected an upstream with action Route, got nothing/,
    ],
    [
      "a route without a Route",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Accept, route: {upstream: u}}]}\n`,
      /rules\[0\].route: expected no route with action Accept, got a map/,
    ],
    [
      "a Fault that is none",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Fault}]}\n`,
      /rules\[0\].fault: expected delay or code with action Fault, got nothing/,
    ],
    [
      "an empty fault",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Fault, fault: {}}]}\n`,
      /rules\[0\].fault: expected delay or code, got neither/,
    ],
    [
      "a delay that outlasts every client",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Fault, fault: {delay: 5s}}]}\n`,
      /fault.delay: expected more than 0ms and at most 4s, got "5s"/,
    ],
    [
      "truncation over TCP",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a], transports: [TCP]}, action: Fault, fault: {code: Truncate}}]}\n`,
      /match.transports: expected UDP alone/,
    ],
    [
      "an Answer without one",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Answer}]}\n`,
      /rules\[0\].answer: expected records with action Answer, got nothing/,
    ],
    [
      "a CNAME and other data",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Answer, answer: {records: [A 192.0.2.1, CNAME b]}}]}\n`,
      /answer.records\[1\]: expected a CNAME alone/,
    ],
    [
      "an address of another family",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Answer, answer: {records: [A 2001:db8::1]}}]}\n`,
      /answer.records\[0\]: expected an IPv4 address, in a record as A 192.0.2.1, got "A 2001:db8::1"/,
    ],
    [
      "a record of too few fields",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Answer, answer: {records: [MX mail.example]}}]}\n`,
      /answer.records\[0\]: expected 2 fields of data, in a record as MX 10 mail.example/,
    ],
    [
      "a record of no type",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Answer, answer: {records: [X 1]}}]}\n`,
      /answer.records\[0\]: expected a record as A 192.0.2.1, its type a record type as A/,
    ],
    [
      "data of the wrong length",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Answer, answer: {records: ['TYPE65280 \\# 3 0aff']}}]}\n`,
      /answer.records\[0\]: expected a length and so many octets/,
    ],
    [
      "a service parameter twice",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Answer, answer: {records: [HTTPS 1 . port=1 port=2]}}]}\n`,
      /answer.records\[0\]: expected each parameter once/,
    ],
    [
      "bounds that are none",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Ttl}]}\n`,
      /rules\[0\].ttl: expected min or max with action Ttl, got nothing/,
    ],
    [
      "bounds that leave nothing",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Ttl, ttl: {min: 2m, max: 1m}}]}\n`,
      /ttl.min: expected no more than max, got more/,
    ],
    [
      "a bound of nothing",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, rules: [{name: r, match: {names: [a]}, action: Ttl, ttl: {max: 0s}}]}\n`,
      /ttl.max: expected at least 1s, got 0s/,
    ],
    [
      "an exception of nobody",
      `${HEAD}kind: ClusterDnsPolicy\nmetadata: {name: p}\nspec: {tier: Admin, priority: 1, subject: {}, except: {}, rules: [{name: r, match: {names: [a]}, action: Pass}]}\n`,
      /spec.except: expected who is excepted, got an empty map/,
    ],
    [
      "an exception of tenants by a tenant",
      `${HEAD}kind: DnsPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {tenants: [t]}, except: {tenants: [s]}, rules: [{name: r, match: {names: [a]}, action: Pass}]}\n`,
      /spec.except.tenants: expected .*, got the unknown field "tenants"/,
    ],
    [
      "a principal that is required of nobody",
      `${HEAD}kind: Tenant\nmetadata: {name: t}\nspec: {match: [{cidrs: [10.0.0.0/8]}], requires: principal}\n`,
      /spec.requires: expected an entry of spec.match with principals/,
    ],
    [
      "a wildcard for a zone",
      `${HEAD}kind: Tenant\nmetadata: {name: t}\nspec: {forward: [{zones: ["*.corp.example"], upstream: u}]}\n`,
      /zones\[0\]: expected a zone, which is its apex and every name below it/,
    ],
    [
      "a list that is nowhere",
      `${HEAD}kind: NameList\nmetadata: {name: l}\nspec: {format: Hosts}\n`,
      /spec: expected inline, file or transfer, got none of them/,
    ],
    [
      "a list in two places",
      `${HEAD}kind: NameList\nmetadata: {name: l}\nspec: {inline: [a], file: b}\n`,
      /spec: expected inline, file or transfer, got several/,
    ],
    [
      "a zone in another format",
      `${HEAD}kind: NameList\nmetadata: {name: l}\nspec: {format: Hosts, transfer: {zone: z, primaries: [{address: 192.0.2.1}]}}\n`,
      /spec.format: expected RPZ beside transfer, got Hosts/,
    ],
    [
      "Settings by another name",
      `${HEAD}kind: Settings\nmetadata: {name: mine}\nspec: {}\n`,
      /expected "default", got "mine"/,
    ],
  ];
  for (const [name, text, reason] of refused) {
    it(`refuses ${name}`, () => assert.match(problems(text).join("\n"), reason));
  }

  it("keeps what a person wrote, comments included, and lines of its own", () => {
    const own = `# why\n${HEAD}kind: Upstream # DoT\nmetadata: {name: u}\nspec: {protocol:   DoT, servers: [{address: 192.0.2.1, serverName: a}]}\n`;
    const { resources } = parseResources(`--- # Upstream/u\n${own}--- # mine\n${own}`, "x");
    assert.equal(resources[0]?.origin.text, own);
    assert.equal(resources[1]?.origin.text, `# mine\n${own}`);
    const problem = resources[1]?.origin.stored("Upstream", "u").problem(["spec", "servers", 0, "address"], "no");
    assert.equal(problem && formatProblem(problem), "stored Upstream/u: line 6, spec.servers[0].address: no");
  });

  it("fills in what depends on the protocol", () => {
    const servers = ["DoT", "TCP", "DoH", "DoH3"].map((protocol) => {
      const name = protocol === "TCP" ? "" : ", serverName: a.example";
      const text = `${HEAD}kind: Upstream\nmetadata: {name: u}\nspec: {protocol: ${protocol}, servers: [{address: 192.0.2.1${name}}]}\n`;
      const resource = parseResources(text, "x").resources[0]?.resource;
      return resource?.kind === "Upstream" ? resource.spec.servers.map(({ port, path }) => `${port}${path}`) : [];
    });
    assert.deepEqual(servers.flat(), ["853", "53", "443/dns-query", "443/dns-query"]);
  });
});

function bomb(): string {
  const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
  for (let level = 1; level < 10; level++) {
    lines.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(",")}]`,
    );
  }
  return `${lines.join("\n")}\n`;
}
