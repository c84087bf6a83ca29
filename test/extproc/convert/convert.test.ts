import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import type { Pod } from "../../../extproc/compiled/pods.ts";
import { loadSnapshot } from "../../../extproc/compiled/snapshot.ts";
import { decide } from "../../../extproc/decide/decide.ts";
import { describeVerdict } from "../../../extproc/explain/explanation.ts";
import { explainRequest, toDecisionRequest } from "../../../extproc/explain/request.ts";
import { runCommand } from "../cli/run-command.ts";
import { inlineTables } from "../lists/inline-tables.ts";

interface Asked {
  readonly client?: string;
  readonly type?: string;
  readonly transport?: string;
  readonly pod?: Pod;
}

/** The command's output is put in force as it is, with a tenant where it has none. */
async function convert(format: string, text: string, ...args: string[]) {
  const { code, stdout, stderr } = await runCommand(["convert", format, "-f", "-", ...args], { stdin: text });
  const tenant = `---
apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: {name: any}
spec: {protocol: TCP, servers: [{address: 192.0.2.53}]}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: all}
spec: {match: [{cidrs: ["0.0.0.0/0"]}], upstream: any}
`;
  const whole = stdout.includes("kind: Tenant") ? stdout : stdout + tenant;
  const result = new CompileJobs().run([{ name: "out", text: whole }], undefined);
  assert.ok(result.ok, JSON.stringify(result));
  const snapshot = loadSnapshot(result.policy, 1, inlineTables(result.policy));
  const explain = (name: string, { pod, ...more }: Asked) => {
    const request = { ...toDecisionRequest(explainRequest.parse({ client: "10.0.0.1", name, ...more }), 0), pod };
    return describeVerdict(snapshot, request, decide(snapshot, request), []);
  };
  const ruleOf = (name: string, more: Asked = {}) => {
    const { policy, rule } = explain(name, more);
    return `${policy}/${rule}`;
  };
  const ask = (name: string, more: Asked = {}) => {
    const { outcome, denial, records, upstream } = explain(name, more);
    const how = denial?.form ?? denial?.rcode ?? upstream?.name ?? "";
    return [outcome, how, ...(records ?? [])].join(" ").trim();
  };
  return { code, stdout, ask, ruleOf, remarks: stderr.split("\n").filter((line) => line !== "") };
}

describe("dnspolicy convert", () => {
  it("takes CiliumNetworkPolicies", async () => {
    const { code, ask, ruleOf, remarks } = await convert(
      "cilium",
      `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  egress:
    - toEndpoints: [{}]
      toPorts:
        - ports: [{port: "53", protocol: ANY}]
          rules:
            dns:
              - matchName: api.example.com
              - matchPattern: "*.example.org"
              - matchPattern: "**.example.net"
              - matchPattern: "a*.example.com"
    - toFQDNs: [{matchName: db.example.com}]
    - toCIDR: ["10.0.0.0/8"]
  ingress: [{}]
---
kind: NetworkPolicy
`,
    );
    assert.equal(code, 1);
    const web = { pod: { namespace: "shop", labels: { app: "web" } } };
    const database = { pod: { namespace: "shop", labels: { app: "db" } } };
    const allowed = ["api.example.com", "x.example.org", "a.b.example.net", "db.example.com"];
    for (const name of allowed) assert.equal(ruleOf(name, web), "shop-web/allowed", name);
    for (const name of ["a.example.com", "ab-9.example.com"])
      assert.equal(ruleOf(name, web), "shop-web/allowed-by-expression-1", name);
    for (const name of ["example.org", "x.api.example.com", "a.b.example.com", "ba.example.com", "other.example"]) {
      assert.equal(ruleOf(name, web), "shop-web-others/others", name);
      assert.equal(ask(name, web), "deny REFUSED");
    }
    assert.equal(ruleOf("other.example", database), "/", "of pods that are not selected, nothing is said");
    assert.deepEqual(remarks, [
      "left: stdin: document 1, line 18, spec.ingress: expected egress to names, got ingress, which a DNS policy cannot say",
      "note: stdin: document 1, line 13, spec.egress[0].toPorts[0].rules.dns[1].matchPattern: *.example.org is one label before the rest there, and one or more here",
      "note: stdin: document 1, line 16, spec.egress[1].toFQDNs: connections to these names are limited there, looking them up is here",
      "left: stdin: document 1, line 17, spec.egress[2]: expected rules.dns or toFQDNs, got egress that is not about names",
      "note: stdin: document 1, line 5, spec.endpointSelector: names that are allowed go where they go there, and here where Tenant shop has an upstream",
      "left: stdin: document 2, line 20, kind: expected one of CiliumNetworkPolicy, CiliumClusterwideNetworkPolicy, got NetworkPolicy",
    ]);
    const text = (await runCommand(["convert", "cilium", "-f", "-"], { stdin: CNP })).stdout;
    assert.match(text, /names:\n +- api\.example\.com\n +action: Accept/);
  });

  it("takes what any CiliumNetworkPolicy allows a pod as allowed, whatever others of its policies do not", async () => {
    const egress = (pattern: string) => `egress: [{toPorts: [{rules: {dns: [{matchPattern: "${pattern}"}]}}]}]`;
    const { code, ask, ruleOf, remarks } = await convert(
      "cilium",
      `kind: CiliumNetworkPolicy
metadata: {name: all, namespace: shop}
spec: {endpointSelector: {}, ${egress("*.example.org")}}
---
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
specs:
  - {endpointSelector: {matchLabels: {"k8s:app": web}, matchExpressions: [{key: any:tier, operator: Exists}]}, ${egress("api.example.com")}}
  - {endpointSelector: {matchLabels: {"reserved:host": ""}}, ${egress("*")}}
  - {endpointSelector: {matchLabels: {"k8s:io.kubernetes.pod.namespace": other}}, ${egress("*")}}
---
kind: CiliumNetworkPolicy
metadata: {name: unnamed}
spec: {endpointSelector: {}, ${egress("**.*-svc.x_y.example")}}
---
kind: CiliumClusterwideNetworkPolicy
metadata: {name: everywhere}
spec: {endpointSelector: {matchLabels: {"io.kubernetes.pod.namespace": shop, app: web}}, ${egress("one.example")}}
---
kind: CiliumClusterwideNetworkPolicy
metadata: {name: audited}
spec: {endpointSelector: {matchLabels: {audited: "true"}}, ${egress("two.example")}}
---
kind: CiliumClusterwideNetworkPolicy
metadata: {name: nodes}
spec: {nodeSelector: {}, ${egress("*")}}
`,
    );
    assert.equal(code, 1);
    const pod = (namespace: string, labels: Pod["labels"]) => ({ pod: { namespace, labels } });
    const web = pod("shop", { app: "web", tier: "1" });
    assert.equal(ruleOf("x.example.org", web), "shop-all/allowed");
    assert.equal(ruleOf("api.example.com", web), "shop-web/allowed");
    assert.equal(ruleOf("one.example", web), "everywhere/allowed");
    assert.equal(ask("other.example", web), "deny REFUSED");
    assert.equal(ruleOf("api.example.com", pod("shop", { app: "web" })), "shop-all-others/others");
    assert.equal(ruleOf("a.b.x-svc.x_y.example", pod("default", {})), "unnamed/allowed-by-expression-1");
    assert.equal(ruleOf("x-svc.x_y.example", pod("default", {})), "unnamed-others/others");
    assert.equal(ruleOf("two.example", pod("default", { audited: "true" })), "audited/allowed");
    const left = remarks.filter((one) => one.startsWith("left"));
    assert.deepEqual(
      left.map((one) => one.replace(/^.*: expected/, "expected")),
      [
        "expected labels of pods, got reserved:host",
        "expected pods of namespace shop, got those of other",
        "expected egress to names, got nodeSelector, which a DNS policy cannot say",
        "expected an endpointSelector, got none: nobody's pods are meant",
      ],
    );
  });

  it("takes response policy zones, the most specific name first", async () => {
    const { code, stdout, ask, remarks } = await convert(
      "rpz",
      `$TTL 60
@ IN SOA localhost. root.localhost. ( 1 ; serial
   2 3 4 5 )
  NS localhost.
*.bad.example CNAME .
ok.bad.example 60 IN CNAME rpz-passthru.
*.ok.bad.example CNAME *.
drop.example CNAME rpz-drop.
tcp.example CNAME rpz-tcp-only.
old.example CNAME old.example.
sink.example A 192.0.2.1
sink.example AAAA 2001:db8::1
away.example CNAME walled.example.org.
txt.example TXT "a;b" "c"
24.0.2.0.192.rpz-ip CNAME .
32.7.2.0.192.rpz-ip CNAME rpz-passthru.
48.zz.1.db8.2001.rpz-ip A 192.0.2.1
33.1.2.3.4.rpz-ip CNAME .
32.1.0.0.127.rpz-client-ip CNAME .
ns.example.rpz-nsdname CNAME .
log.example CNAME rpz-log.
wild.example CNAME *.garden.example.
`,
    );
    assert.equal(code, 1);
    assert.equal(ask("x.bad.example"), "deny NXDOMAIN");
    assert.equal(ask("bad.example"), "forward any");
    assert.equal(ask("ok.bad.example"), "forward any");
    assert.equal(ask("x.ok.bad.example"), "deny NOERROR");
    assert.equal(ask("drop.example"), "deny Drop");
    assert.equal(ask("tcp.example"), "deny Truncate");
    assert.equal(ask("tcp.example", { transport: "tcp" }), "forward any");
    assert.equal(ask("old.example"), "forward any");
    assert.equal(ask("sink.example"), "answer  A 192.0.2.1");
    assert.equal(ask("sink.example", { type: "AAAA" }), "answer  AAAA 2001:db8::1");
    assert.match(ask("away.example"), /CNAME walled\.example\.org\.$/);
    assert.equal(ask("txt.example", { type: "TXT" }), 'answer  TXT "a;b" "c"');
    assert.equal(remarks.length, 6);
    assert.match(remarks[0] ?? "", /^note: stdin: line 15: the name is not there, there/);
    for (const [index, line] of [18, 19, 20, 21, 22].entries())
      assert.ok(remarks[index + 1]?.startsWith(`left: stdin: line ${line}: expected`), remarks[index + 1]);
    const { spec } = parse(stdout) as { spec: { responseRules: { name: string; match: object }[] } };
    assert.deepEqual(
      spec.responseRules.map(({ name: _name, match, ...rest }) => ({ ...match, ...rest })),
      [
        { addresses: ["2001:db8:1::/48"], action: "Deny", response: { addresses: ["192.0.2.1"] } },
        { addresses: ["192.0.2.7/32"], action: "Pass" },
        { addresses: ["192.0.2.0/24"], action: "Deny", response: { code: "NODATA" } },
      ],
    );
  });

  it("makes lists of many names, which rules refer to", async () => {
    const hosts = Array.from({ length: 60 }, (_, index) => `0.0.0.0 h${index}.example\n`).join("");
    const { code, stdout } = await runCommand(["convert", "hosts", "-f", "-"], { stdin: hosts });
    assert.equal(code, 0);
    assert.match(stdout, /kind: NameList.*inline:\n +- h0.example.*lists:\n +- converted\n/s);
    const { ask } = await convert("hosts", `${hosts}192.0.2.1 own.example\n`);
    assert.equal(ask("h59.example"), "deny NXDOMAIN");
    assert.equal(ask("own.example"), "answer  A 192.0.2.1");
    assert.equal(ask("x.h1.example"), "forward any");
    const dropped = Array.from({ length: 60 }, (_, index) => `d${index}.example CNAME rpz-drop.\n`).join("");
    const zone = await convert("rpz", `@ SOA a. b. 1 1 1 1 1\n*.bad.example CNAME .\n${dropped}`);
    assert.equal(zone.ask("d7.example"), "deny Drop");
    assert.equal(zone.ask("x.bad.example"), "deny NXDOMAIN");
  });

  it("leaves very many names in their file, where one rule says what becomes of them", async () => {
    const directory = await mkdtemp(join(tmpdir(), "convert-"));
    const file = join(directory, "feed.zone");
    const names = Array.from({ length: 10_001 }, (_, index) => `n${index}.example CNAME .\n`).join("");
    await writeFile(file, `@ SOA a. b. 1 1 1 1 1\n${names}good.example CNAME rpz-passthru.\n`);
    const { code, stdout } = await runCommand(["convert", "rpz", "-f", file, "--name", "feed"]);
    assert.equal(code, 0);
    assert.ok(stdout.includes(`format: RPZ\n  file: ${file}\n`), stdout.slice(0, 500));
    assert.match(stdout, /lists:\n +- feed\n +action: Deny\n +response:\n +code: NXDOMAIN/);
    await rm(directory, { recursive: true });
  });

  it("takes hosts files", async () => {
    const { code, ask, remarks } = await convert(
      "hosts",
      `127.0.0.1 localhost
0.0.0.0 ads.example Track.example # why
192.0.2.7 db.corp db2.corp
2001:db8::7 db.corp
no.address.example
0.0.0.0 a..b
`,
    );
    assert.equal(code, 1);
    assert.equal(ask("track.example"), "deny NXDOMAIN");
    assert.equal(ask("x.ads.example"), "forward any");
    assert.equal(ask("db.corp"), "answer  A 192.0.2.7");
    assert.equal(ask("db.corp", { type: "AAAA" }), "answer  AAAA 2001:db8::7");
    assert.equal(ask("db2.corp", { type: "AAAA" }), "answer");
    assert.deepEqual(
      remarks.map((one) => one.slice(0, 22)),
      ["note: stdin: line 1: l", "left: stdin: line 5: e", "left: stdin: line 6: e"],
    );
    const twice = await runCommand(["convert", "hosts", "-f", "-", "-f", "-"], { stdin: "0.0.0.0 a.example\n" });
    assert.equal(twice.code, 0);
    assert.match(twice.stdout, /name: converted-2\n/);
    assert.equal((await convert("hosts", "0.0.0.0 a.example\n")).code, 0);
    assert.equal((await convert("hosts", "bad\n0.0.0.0 a.example\n", "--allow-partial")).code, 0);
  });

  it("takes blocky's client groups", async () => {
    const { ask, remarks } = await convert(
      "blocky",
      `upstreams: {groups: {default: ["tcp-tls:1.1.1.1:853#one.example"], 10.8.0.0/16: [8.8.8.8]}}
conditional: {mapping: {fritz.box: 192.168.178.1}}
customDNS: {customTTL: 1h, mapping: {printer.lan: "192.168.178.3,2001:db8::3"}}
blocking:
  denylists:
    ads:
      - https://x.example/list
      - |
        ads.example
        *.track.example
        /ad[0-9]/
        /(?=x)/
    strict: ["a.example\\nb.example\\n"]
  allowlists: {ads: ["b.example\\n"]}
  clientGroupsBlock: {default: [ads], laptop*: [ads], 10.9.0.1/16: [ads, strict]}
  blockType: nxDomain
ports: {dns: 53}
`,
    );
    assert.equal(ask("ads.example"), "deny NXDOMAIN");
    assert.equal(ask("track.example"), "deny NXDOMAIN");
    assert.equal(ask("x.track.example"), "deny NXDOMAIN");
    assert.equal(ask("a.example"), "forward upstream-default");
    assert.equal(ask("a.example", { client: "10.9.3.1" }), "deny NXDOMAIN");
    assert.equal(ask("b.example", { client: "10.9.3.1" }), "forward upstream-default");
    assert.equal(ask("ads.example", { client: "10.8.0.1" }), "deny NXDOMAIN");
    assert.equal(ask("x.example", { client: "10.8.0.1" }), "forward upstream-10.8.0.0-16");
    assert.equal(ask("x.fritz.box"), "forward zone-fritz.box");
    assert.equal(ask("a.printer.lan", { type: "AAAA" }), "answer  AAAA 2001:db8::3");
    assert.equal(ask("x.ad7.example"), "deny NXDOMAIN");
    assert.equal(ask("ad.example"), "forward upstream-default");
    const left = remarks.filter((one) => one.startsWith("left"));
    for (const place of ["line 17, ports", "denylists.ads[0]", 'in "/(?=x)/"', '["laptop*"]']) {
      assert.ok(
        left.some((one) => one.includes(place)),
        `${place}: ${left.join("\n")}`,
      );
    }
    assert.equal(left.length, 4, left.join("\n"));
  });

  it("takes AdGuard Home's clients and rules", async () => {
    const { ask, remarks } = await convert(
      "adguard",
      `dns: {upstream_dns: ["tls://9.9.9.9#dns.quad9.net", "https://dns.example/dns-query"]}
filtering:
  blocking_mode: default
  blocked_response_ttl: 10
  rewrites: [{domain: nas.lan, answer: 192.168.1.2}, {domain: "*.lan", answer: nas.lan}]
  blocked_services: {ids: [tiktok]}
filters: [{enabled: true, url: "https://x.example/f.txt"}, {enabled: false, url: y}]
user_rules:
  - "! a comment"
  - "||ads.example^"
  - "@@||good.ads.example^$important"
  - "||v6.example^$dnstype=AAAA"
  - /^stat[sx]?\\./
  - /x/$client=1.2.3.4
  - 0.0.0.0 host.example
clients:
  persistent:
    - {name: Mum's phone, ids: [10.3.0.1, "aa:bb:cc:dd:ee:ff"], use_global_settings: false, filtering_enabled: false}
    - {name: kids, ids: [10.4.0.0/24], upstreams: [1.1.1.1]}
`,
    );
    assert.equal(ask("ads.example"), "deny NOERROR A 0.0.0.0");
    assert.equal(ask("x.ads.example", { type: "AAAA" }), "deny NOERROR AAAA ::");
    assert.equal(ask("x.good.ads.example"), "forward upstream");
    assert.equal(ask("host.example"), "deny NOERROR A 0.0.0.0");
    assert.equal(ask("x.host.example"), "forward upstream");
    assert.equal(ask("ads.example", { client: "10.3.0.1" }), "forward upstream");
    assert.equal(ask("x.example", { client: "10.4.0.9" }), "forward kids-upstream");
    assert.equal(ask("statx.example"), "deny NOERROR A 0.0.0.0");
    assert.equal(ask("www.statx.example"), "forward upstream");
    assert.equal(ask("nas.lan"), "answer  A 192.168.1.2");
    assert.match(ask("other.lan"), /CNAME nas\.lan\.$/);
    const left = remarks.filter((one) => one.startsWith("left"));
    for (const place of [
      "dns.upstream_dns",
      "persistent[0].ids",
      "user_rules[3]",
      "user_rules[5]",
      "filters[0]",
      "blocked_services",
    ]) {
      assert.ok(
        left.some((one) => one.includes(place)),
        `${place}: ${left.join("\n")}`,
      );
    }
    assert.equal(left.length, 6, left.join("\n"));
  });

  it("says where a file is no YAML, and knows its formats", async () => {
    const bad = await runCommand(["convert", "blocky", "-f", "-"], { stdin: "a: [" });
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /^left: stdin: document 1, line \d+: expected YAML/);
    assert.equal((await runCommand(["convert", "bind", "-f", "-"])).code, 2);
  });
});

const CNP = `kind: CiliumNetworkPolicy
metadata: {name: one}
spec: {endpointSelector: {}, egress: [{toPorts: [{rules: {dns: [{matchPattern: "*"}]}}]}, {toFQDNs: [{matchName: api.example.com}]}]}
`;
