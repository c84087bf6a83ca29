import assert from "node:assert/strict";
import fc from "fast-check";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import type { Finding } from "../../../extproc/lint/finding.ts";
import { lint } from "../../../extproc/lint/lint.ts";
import type { Policy } from "../../../extproc/resources/policy-schema.ts";
import { formatProblem } from "../../../extproc/resources/problem.ts";
import type { Rule } from "../../../extproc/resources/rule-schema.ts";
import type { Resource } from "../../../extproc/resources/schema.ts";
import { policySet, request } from "../decide/arbitrary.ts";
import { judgePlainly } from "../decide/reference.ts";

const HEAD = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: a}
spec: {match: [{cidrs: ["10.0.0.0/8"]}]}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: b}
spec: {match: [{cidrs: ["11.0.0.0/8"]}]}
`;

/** Line 11 is where the first policy begins, and its first rule is on line 19. */
const policy = (name: string, priority: number, rules: string[], more = "subject: {}", tier = "Admin") => `---
apiVersion: dns.mesh/v1alpha1
kind: ${tier === "Tenant" ? "DnsPolicy" : "ClusterDnsPolicy"}
metadata: {name: ${name}}
spec:
  ${tier === "Tenant" ? "" : `tier: ${tier}`}
  priority: ${priority}
  ${more}
  rules:
${rules.map((rule) => `    - {${rule}}\n`).join("")}`;

function findings(...policies: string[]): Finding[] {
  const sources = [{ name: "set.yaml", text: [HEAD, ...policies].join("") }];
  const jobs = new CompileJobs();
  const result = jobs.run(sources, undefined);
  assert.ok(result.ok, result.ok ? "" : result.problems.map(formatProblem).join("\n"));
  return lint(jobs.readAsWritten(sources), []);
}

const told = (...policies: string[]) => findings(...policies).map(({ kind, line, path }) => `${kind} ${line} ${path}`);

describe("lint", () => {
  it("finds rules that never have a word, and says why", () => {
    const found = findings(
      policy("p", 1, [
        'name: all, match: {names: ["*.com"]}, action: Deny',
        'name: late, match: {names: ["a.com", "*.b.com"]}, action: Accept',
      ]),
    );
    const unreachable = found.filter(({ kind }) => kind === "unreachable");
    assert.deepEqual(unreachable.map(formatProblem), [
      "set.yaml: document 3, line 20, spec.rules[1]: expected a rule that can have a word, got late, of which everything is decided before: by rule all of ClusterDnsPolicy/p (set.yaml, line 19)",
    ]);
  });

  it("takes several rules together for what covers one", () => {
    const rules = [
      "name: t, match: {types: [A, AAAA]}, action: Accept",
      'name: o, match: {names: ["*"], transports: [UDP, TCP]}, action: Accept',
      'name: late, match: {names: ["x.com"], types: [A]}, action: Deny',
      'name: some, match: {names: ["x.com"], transports: [TCP]}, action: Deny',
      'name: free, match: {names: ["x.com"]}, action: Deny',
    ];
    const unreachable = findings(policy("p", 1, rules)).filter(({ kind }) => kind === "unreachable");
    assert.deepEqual(
      unreachable.map(({ line }) => line),
      [21, 22],
    );
  });

  it("finds names that never have a word in a rule that has", () => {
    const rules = [
      'name: all, match: {names: ["*.com"]}, action: Deny',
      'name: late, match: {names: ["a.com", "a.org"]}, action: Deny',
    ];
    assert.deepEqual(told(policy("p", 1, rules)), ["shadowed 20 spec.rules[1].match.names[0]"]);
  });

  it("knows tiers, tenants, modes and Pass", () => {
    const deny = 'name: d, match: {names: ["*.com"]}, action: Deny';
    const none = (...policies: string[]) => assert.deepEqual(told(...policies), []);
    const late = policy("late", 1, [deny], "subject: {tenants: [a]}", "Tenant");
    assert.deepEqual(told(policy("p", 1, [deny]), late), ["unreachable 29 spec.rules[0]"]);
    none(policy("p", 1, [deny], "subject: {tenants: [b]}"), late);
    none(policy("p", 1, [deny], "subject: {}\n  except: {tenants: [a]}"), late);
    none(policy("p", 1, [deny.replace("name: d", "name: d, mode: Audit")]), late);
    none(policy("p", 1, [deny], "subject: {}\n  mode: Disabled"), late);
    none(policy("p", 1, ['name: q, match: {names: ["*.com"]}, action: Pass']), late);
    // What is passed on is not denied in the tier.
    none(policy("p", 1, ['name: q, match: {names: ["x.com"]}, action: Pass', deny]), late);
    const passed = policy("p", 1, ['name: q, match: {names: ["*.com"]}, action: Pass', deny]);
    assert.deepEqual(told(passed), ["unreachable 20 spec.rules[1]"]);
    none(policy("p", 1, [deny.replace('names: ["*.com"]', 'names: ["*.com"], percent: 50')]), late);
    none(policy("p", 1, ['name: t, match: {names: ["*"]}, action: Ttl, ttl: {min: 5s}']), late);
    none(policy("p", 1, ['name: f, match: {names: ["*"]}, action: Fault, fault: {delay: 5ms}']), late);
  });

  it("knows clients and moments", () => {
    const deny = 'name: d, match: {names: ["*.com"]}, action: Deny';
    const hours = deny.replace("}", ', schedule: {between: ["08:00", "09:00"]}}');
    const late = (subject: string, rule = deny) => policy("late", 2, [rule], `subject: {${subject}}`);
    const early = (subject: string, rule = deny) => policy("p", 1, [rule], `subject: {${subject}}`);
    const wide = 'cidrs: ["10.0.0.0/16"], principals: ["spiffe://d/ns/*"]';
    const narrow = 'tenants: [a], cidrs: ["10.0.1.0/24"], principals: ["spiffe://d/ns/x", "spiffe://d/ns/*"]';
    const unreachable = ["unreachable 29 spec.rules[0]"];
    assert.deepEqual(told(early(wide), late(narrow)), unreachable);
    assert.deepEqual(told(early(narrow), late(wide)), []);
    assert.deepEqual(told(early(wide), late('cidrs: ["10.0.1.0/24"]')), []);
    assert.deepEqual(told(early("", hours), late("", hours)), unreachable);
    assert.deepEqual(told(early(""), late("", hours)), unreachable);
    assert.deepEqual(told(early("", hours), late("")), []);
    const except = 'subject: {}\n  except: {cidrs: ["10.0.0.0/24"]}';
    assert.deepEqual(told(policy("p", 1, [deny], except), policy("late", 2, [deny], except)), [
      "unreachable 31 spec.rules[0]",
    ]);
    assert.deepEqual(told(policy("p", 1, [deny], except), late("")), []);
  });

  it("finds policies of nobody, names that are said twice, and Upstreams that nobody goes to", () => {
    const deny = 'name: d, match: {names: ["*.com", "a.com", "*.com"]}, action: Deny';
    const nobody = 'subject: {cidrs: ["10.0.0.0/24"]}\n  except: {cidrs: ["10.0.0.0/16"]}';
    const unused = `---
apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: {name: u}
spec: {protocol: TCP, servers: [{address: 192.0.2.1}]}
---
apiVersion: dns.mesh/v1alpha1
kind: NameList
metadata: {name: l}
spec: {inline: [a.example]}
`;
    assert.deepEqual(told(policy("p", 1, [deny], nobody), unused), [
      "nobody 18 spec.except",
      "redundant 20 spec.rules[0].match.names[1]",
      "redundant 20 spec.rules[0].match.names[2]",
      "unused 24 metadata.name",
      "unused 29 metadata.name",
    ]);
  });

  it("finds rules that cross, and not exceptions", () => {
    const cross = [
      'name: one, match: {names: ["*.com"], types: [A]}, action: Deny',
      'name: two, match: {names: ["*.x.com", "*.org"]}, action: Accept',
    ];
    const found = findings(policy("p", 1, cross));
    assert.deepEqual(
      found.map(({ kind, line }) => `${kind} ${line}`),
      ["overlap 20"],
    );
    assert.match(
      found[0]?.message ?? "",
      /got rule one of ClusterDnsPolicy\/p \(set\.yaml, line 19\) before it, .* as \*\.x\.com, type A$/,
    );
    const exception = [
      'name: one, match: {names: ["*.x.com"]}, action: Accept',
      'name: two, match: {names: ["*.com"]}, action: Deny',
    ];
    assert.deepEqual(
      told(policy("p", 1, exception)).filter((one) => one.startsWith("overlap")),
      [],
    );
  });

  it("finds response rules that an earlier one leaves nothing to", () => {
    const answers = (...rules: string[]) =>
      policy("p", 1, ['name: all, match: {names: ["*"]}, action: Accept']) +
      `  responseRules:\n${rules.map((rule) => `    - {${rule}, action: Deny}\n`).join("")}`;
    const found = told(
      answers(
        'name: a, match: {addresses: ["10.0.0.0/8"], names: ["*.com"]}',
        'name: b, match: {addresses: ["10.1.0.0/16"], names: ["a.com"], types: [A]}',
        'name: c, match: {addresses: ["10.1.0.0/16"]}',
        'name: d, match: {addresses: ["10.1.0.0/16", "11.0.0.0/8"], names: ["a.com"]}',
      ),
    );
    assert.deepEqual(found, ["unreachable 22 spec.responseRules[1]"]);
    const onTrial = told(
      answers("name: a, mode: Audit, match: {types: [A]}", "name: b, match: {types: [A], ttl: {max: 5s}}"),
    );
    assert.deepEqual(onTrial, []);
  });

  it("finds nothing that could be left out and would be missed", () => {
    const jobs = new CompileJobs();
    const count = { unreachable: 0, shadowed: 0 };
    fc.assert(
      fc.property(policySet, fc.array(request, { minLength: 40, maxLength: 40 }), (text, questions) => {
        const sources = [{ name: "set", text }];
        const result = jobs.run(sources, undefined);
        fc.pre(result.ok);
        const located = jobs.readAsWritten(sources);
        const resources = located.map(({ resource }) => resource);
        for (const { kind, document, path } of lint(located, [])) {
          if ((kind !== "unreachable" && kind !== "shadowed") || path.startsWith("spec.responseRules")) continue;
          count[kind]++;
          const of = located.find(({ origin }) => origin.document === document)?.resource as Policy;
          const [, rule = "", , name] = /^spec\.rules\[(\d+)\](\.match\.names\[(\d+)\])?$/.exec(path) ?? [];
          const less = resources.map((one) => (one === of ? without(of, Number(rule), name) : one)) as Resource[];
          for (const question of questions) {
            assert.deepEqual(judgePlainly(less, question), judgePlainly(resources, question), path);
          }
        }
      }),
      { numRuns: 500, seed: 853, maxSkipsPerRun: 50 },
    );
    assert.ok(count.unreachable > 20 && count.shadowed > 0, JSON.stringify(count));
  }).timeout(60_000);
});

function without(policy: Policy, rule: number, name: string | undefined): Policy {
  const rules = policy.spec.rules.flatMap((one, index): Rule[] => {
    if (index !== rule) return [one];
    if (name === undefined) return [];
    return [{ ...one, match: { ...one.match, names: one.match.names?.toSpliced(Number(name), 1) } }];
  });
  return { ...policy, spec: { ...policy.spec, rules } } as Policy;
}

describe("a stored set", () => {
  it("is told of by lines of each resource, as it is written there", () => {
    const jobs = new CompileJobs();
    const written = [
      HEAD,
      policy("one", 10, ['name: kept, match: {names: ["a.b.com"]}, action: Accept']),
      policy("two", 20, [
        'name: com, match: {names: ["*.com"]}, action: Deny',
        'name: never, match: {names: ["x.com"]}, action: Deny',
      ]),
    ].join("");
    const stored = jobs.run([], { upsert: [{ name: "request", text: `# A word before.\n${written}` }] }, 1);
    assert.ok(stored.ok);
    const base = [{ name: "state.yaml", text: stored.text }];
    const found = lint(jobs.read(base), jobs.run(base, {}).warnings).filter(({ source }) => !source.includes("Tenant"));
    assert.deepEqual(
      found.map(({ kind, source, document, line, path }) => [kind, source, document, line, path]),
      [
        ["warning", "stored ClusterDnsPolicy/one", 0, 9, "spec.rules[0].match.names[0]"],
        ["unreachable", "stored ClusterDnsPolicy/two", 0, 10, "spec.rules[1]"],
      ],
    );
  });
});
