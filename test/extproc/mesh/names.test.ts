import assert from "node:assert/strict";
import { presentName } from "../../../extproc/dns/names.ts";
import { contentOf, type Entry } from "../../../extproc/mesh/names/entry.ts";
import { NameTable } from "../../../extproc/mesh/names/name-table.ts";
import { nearestFirst, placeOfEnvoy } from "../../../extproc/mesh/names/places.ts";
import { type Octets, wireOf } from "../../../extproc/mesh/names/wire.ts";
import { valueIn } from "../../../extproc/mesh/sources/cluster-objects.ts";
import { toObject } from "../../../extproc/mesh/sources/object.ts";
import { type ObjectChange, ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { objectsOf } from "./objects.ts";
import { presentRecord } from "./present-record.ts";

class World {
  readonly store = new ObjectStore();
  readonly changes: ObjectChange[][] = [];
  readonly table: NameTable;

  constructor(text: string, addresses: readonly string[] = []) {
    this.store.apply({ set: objectsOf(text) });
    this.table = NameTable.of(this.store, { clusterDomain: "cluster.local", ttl: 5, addressesOf: () => addresses });
    this.store.onChange((changes) => this.changes.push([...changes]));
  }

  /** Of all groups; undefined for a name that is not there. */
  at(name: string, wildcard = false): string[] | undefined {
    const entries = [...this.table.entriesAt(wireOf(name), wildcard)];
    return entries.length === 0 ? undefined : entries.flatMap((entry) => contentOf(entry).records.map(presentRecord));
  }

  /** Names that are other than before. */
  change(text: string): string[] {
    this.store.apply({ set: objectsOf(text) });
    return this.told();
  }

  remove(kind: "Service" | "EndpointSlice", namespace: string, name: string): string[] {
    this.store.apply({ delete: [{ kind, namespace, name }] });
    return this.told();
  }

  told(): string[] {
    const changed = this.table.change(this.changes.splice(0).flat());
    return [...changed].map((entry: Entry) => nameOf(entry.name)).sort();
  }
}

function nameOf(name: Octets): string {
  return presentName(Buffer.from(name, "latin1")).slice(0, -1);
}

function service(name: string, spec: string, annotations = "{}"): string {
  return `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: prod, annotations: ${annotations} }\nspec: ${spec}\n---\n`;
}

function slice(name: string, of: string, endpoints: string, type = "IPv4"): string {
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}, namespace: prod, labels: { kubernetes.io/service-name: ${of} } }
addressType: ${type}
ports: [{ name: sql, port: 5432 }, { port: 9 }]
endpoints: [${endpoints}]
---
`;
}

function entry(spec: string, more = ""): string {
  return `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: partner, namespace: prod }\nspec: ${spec}\n${more}---\n`;
}

describe("names of the mesh", () => {
  it("has the schema version, and the zones themselves", () => {
    const world = new World("apiVersion: v1\nkind: Namespace\nmetadata: { name: prod }\n");
    assert.deepEqual(world.at("dns-version.cluster.local"), ["TXT 1.1.0"]);
    for (const name of ["cluster.local", "svc.cluster.local", "pod.cluster.local", "prod.svc.cluster.local"]) {
      assert.deepEqual(world.at(name), [], name);
    }
    assert.equal(world.at("test.svc.cluster.local"), undefined);
  });

  it("gives a service with cluster addresses A, AAAA, SRV and PTR", () => {
    const ports = "[{ name: http, port: 80 }, { name: dns, port: 53, protocol: UDP }, { port: 9 }]";
    const world = new World(
      service("web", `{ clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, "FD00::0:1"], ports: ${ports} }`),
    );
    assert.deepEqual(world.at("web.prod.svc.cluster.local"), ["A 10.0.0.1", "AAAA fd00::1"]);
    assert.deepEqual(world.at("_http._tcp.web.prod.svc.cluster.local"), ["SRV 0 100 80 web.prod.svc.cluster.local"]);
    assert.deepEqual(world.at("_dns._udp.web.prod.svc.cluster.local"), ["SRV 0 100 53 web.prod.svc.cluster.local"]);
    assert.deepEqual(world.at("_tcp.web.prod.svc.cluster.local"), []);
    assert.deepEqual(world.at("1.0.0.10.in-addr.arpa"), ["PTR web.prod.svc.cluster.local"]);
    const nibbles = `1.${"0.".repeat(27)}0.0.d.f.ip6.arpa`;
    assert.deepEqual(world.at(nibbles), ["PTR web.prod.svc.cluster.local"]);
  });

  it("gives a headless service its ready endpoints, by hostname and by address", () => {
    const endpoints = `{ addresses: [10.1.0.1], hostname: db-0 }, { addresses: [10.1.0.2], conditions: { ready: true } },
      { addresses: [10.1.0.3], hostname: db-2, conditions: { ready: false } }`;
    const text = service("db", "{ clusterIP: None }") + slice("db-1", "db", endpoints);
    const world = new World(text + slice("db-2", "db", "{ addresses: ['fd00::5'], hostname: db-0 }", "IPv6"));
    assert.deepEqual(world.at("db.prod.svc.cluster.local"), ["A 10.1.0.1", "A 10.1.0.2", "AAAA fd00::5"]);
    assert.deepEqual(world.at("db-0.db.prod.svc.cluster.local"), ["A 10.1.0.1", "AAAA fd00::5"]);
    assert.deepEqual(world.at("10-1-0-2.db.prod.svc.cluster.local"), ["A 10.1.0.2"]);
    assert.equal(world.at("db-2.db.prod.svc.cluster.local"), undefined);
    assert.deepEqual(world.at("_sql._tcp.db.prod.svc.cluster.local"), [
      "SRV 0 100 5432 db-0.db.prod.svc.cluster.local",
      "SRV 0 100 5432 10-1-0-2.db.prod.svc.cluster.local",
    ]);
    assert.deepEqual(world.at("1.0.1.10.in-addr.arpa"), ["PTR db-0.db.prod.svc.cluster.local"]);
    // Who publishes those that are not ready has them all.
    world.change(service("db", "{ clusterIP: None, publishNotReadyAddresses: true }"));
    assert.deepEqual(world.at("db-2.db.prod.svc.cluster.local"), ["A 10.1.0.3"]);
    // Without an endpoint it has no name.
    world.change(service("db", "{ clusterIP: None }") + slice("db-1", "db", "").replace("[]", "[]"));
    world.remove("EndpointSlice", "prod", "db-2");
    assert.equal(world.at("db.prod.svc.cluster.local"), undefined);
  });

  it("gives an ExternalName its alias, and a service without an address no name yet", () => {
    const world = new World(
      service("out", "{ type: ExternalName, externalName: WWW.example.com }") + service("new", "{ clusterIP: '' }"),
    );
    assert.deepEqual(world.at("out.prod.svc.cluster.local"), ["CNAME www.example.com"]);
    assert.equal(world.at("new.prod.svc.cluster.local"), undefined);
  });

  it("gives pods names by their addresses", () => {
    const world = new World(
      "apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: prod }\nstatus: { podIPs: [{ ip: 10.2.0.1 }, { ip: 'fd00::7' }] }\n",
    );
    assert.deepEqual(world.at("10-2-0-1.prod.pod.cluster.local"), ["A 10.2.0.1"]);
    assert.deepEqual(world.at("fd00--7.prod.pod.cluster.local"), ["AAAA fd00::7"]);
  });

  it("gives hosts of a ServiceEntry the first of its addresses, its status', its endpoints', or virtual ones", () => {
    const ports = "ports: [{ number: 443, name: https, protocol: TLS }]";
    const hosts = "hosts: [api.partner.example]";
    const virtual = ["240.240.0.5", "2001:2::5"];
    const at = (spec: string, more = "", name = "api.partner.example") =>
      new World(entry(spec, more), virtual).at(name);
    assert.deepEqual(at(`{ ${hosts}, addresses: [192.0.2.1, 198.51.100.0/24], resolution: DNS }`), ["A 192.0.2.1"]);
    const status = "status: { addresses: [{ value: 240.240.9.9, host: api.partner.example }] }\n";
    assert.deepEqual(at(`{ ${hosts}, resolution: DNS }`, status), ["A 240.240.9.9"]);
    const endpoints = "endpoints: [{ address: 10.9.0.1 }, { address: unix:///x }, { address: b.example }]";
    assert.deepEqual(at(`{ ${hosts}, resolution: STATIC, ${endpoints} }`), ["A 10.9.0.1"]);
    assert.deepEqual(at(`{ ${hosts}, resolution: DNS, ${ports} }`), ["A 240.240.0.5", "AAAA 2001:2::5"]);
    const srv = at(`{ ${hosts}, resolution: DNS, ${ports} }`, "", "_https._tcp.api.partner.example");
    assert.deepEqual(srv, ["SRV 0 100 443 api.partner.example"]);
    assert.deepEqual(at(`{ ${hosts}, resolution: DNS }`, "", "5.0.240.240.in-addr.arpa"), ["PTR api.partner.example"]);
    // What has no address, and may have none of ours, is no name of the mesh.
    assert.equal(at(`{ ${hosts} }`), undefined);
    assert.equal(at(`{ hosts: ["*.partner.example"], resolution: DNS }`), undefined);
    const opted = entry(`{ ${hosts}, resolution: DNS }`).replace(
      "prod }",
      'prod, labels: { networking.istio.io/enable-autoallocate-ip: "false" } }',
    );
    assert.equal(new World(opted, virtual).at("api.partner.example"), undefined);
  });

  it("says which addresses are near, by zone, else by region", () => {
    const node = (name: string, region: string, zone: string) =>
      `apiVersion: v1\nkind: Node\nmetadata: { name: ${name}, labels: { topology.kubernetes.io/region: ${region}, topology.kubernetes.io/zone: ${zone} } }\n---\n`;
    const world = new World(
      node("one", "r", "r-a") +
        node("two", "r", "r-b") +
        node("three", "s", "s-a") +
        service("db", "{ clusterIP: None }") +
        slice(
          "db-1",
          "db",
          "{ addresses: [10.1.0.1], nodeName: three }, { addresses: [10.1.0.2], nodeName: two }, { addresses: [10.1.0.3], nodeName: one }",
        ) +
        entry(
          "{ hosts: [vm.example], resolution: STATIC, endpoints: [{ address: 10.2.0.1, locality: s/s-a/x }, { address: 10.2.0.2, locality: r }] }",
        ),
    );
    const near = (name: string, envoy: string) => {
      const [found] = world.table.entriesAt(wireOf(name), false);
      const { records, near: count } = nearestFirst(
        found === undefined ? [] : contentOf(found).records,
        placeOfEnvoy(world.store, envoy),
      );
      return [...records.map((record) => presentRecord(record).slice(2)), count];
    };
    assert.deepEqual(near("db.prod.svc.cluster.local", "one"), ["10.1.0.3", "10.1.0.2", "10.1.0.1", 1]);
    assert.deepEqual(near("db.prod.svc.cluster.local", "three"), ["10.1.0.1", "10.1.0.2", "10.1.0.3", 1]);
    assert.deepEqual(near("vm.example", "two"), ["10.2.0.2", "10.2.0.1", 1]);
    // Of an Envoy that nothing is known of, all are as near.
    assert.deepEqual(near("db.prod.svc.cluster.local", "elsewhere"), ["10.1.0.1", "10.1.0.2", "10.1.0.3", 0]);
    const pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: p, namespace: prod }\nspec: { nodeName: three }\n";
    world.change(pod);
    assert.deepEqual(near("vm.example", "prod/p"), ["10.2.0.1", "10.2.0.2", 1]);
  });

  it("gives services of several clusters names below clusterset.local", () => {
    const imported = (name: string, spec: string) =>
      `apiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceImport\nmetadata: { name: ${name}, namespace: prod }\nspec: ${spec}\n---\n`;
    const from = (cluster: string, address: string) =>
      `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: db-${cluster}
  namespace: prod
  labels: { multicluster.kubernetes.io/service-name: db, multicluster.kubernetes.io/source-cluster: ${cluster} }
addressType: IPv4
ports: [{ name: sql, port: 5432 }]
endpoints: [{ addresses: [${address}], hostname: db-0 }, { addresses: [10.9.9.9], conditions: { ready: false } }]
---
`;
    const world = new World(
      imported("web", "{ type: ClusterSetIP, ips: [10.42.0.1], ports: [{ name: http, port: 80 }] }") +
        imported("db", "{ type: Headless, ports: [{ name: sql, port: 5432 }] }") +
        from("a", "10.1.0.1"),
    );
    assert.deepEqual(world.at("web.prod.svc.clusterset.local"), ["A 10.42.0.1"]);
    assert.deepEqual(world.at("_http._tcp.web.prod.svc.clusterset.local"), [
      "SRV 0 100 80 web.prod.svc.clusterset.local",
    ]);
    assert.deepEqual(world.at("1.0.42.10.in-addr.arpa"), ["PTR web.prod.svc.clusterset.local"]);
    assert.equal(world.at("web.prod.svc.cluster.local"), undefined);
    world.change(from("b", "10.2.0.1"));
    assert.deepEqual(world.at("db.prod.svc.clusterset.local"), ["A 10.1.0.1", "A 10.2.0.1"]);
    assert.deepEqual(world.at("db-0.b.db.prod.svc.clusterset.local"), ["A 10.2.0.1"]);
    assert.deepEqual(world.at("_sql._tcp.db.prod.svc.clusterset.local"), [
      "SRV 0 100 5432 db-0.a.db.prod.svc.clusterset.local",
      "SRV 0 100 5432 db-0.b.db.prod.svc.clusterset.local",
    ]);
    world.remove("EndpointSlice", "prod", "db-a");
    assert.deepEqual(world.at("db.prod.svc.clusterset.local"), ["A 10.2.0.1"]);
  });

  it("gives hosts of Istio's Gateway the addresses of the services that lead to it", () => {
    const entrance = (address: string, selector = "istio: ingress") =>
      `${service("ingress", `{ clusterIP: 10.0.0.9, type: LoadBalancer, selector: { app: gateway, ${selector} } }`).replace("---\n", "")}status: { loadBalancer: { ingress: [{ ip: ${address} }] } }\n---\n`;
    const world = new World(
      `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: public, namespace: prod }
spec:
  selector: { istio: ingress }
  servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example, "prod/*.api.example", "*"] }]
---
${entrance("192.0.2.7")}`,
    );
    assert.deepEqual(world.at("shop.example"), ["A 192.0.2.7"]);
    assert.deepEqual(world.at("api.example", true), ["A 192.0.2.7"]);
    assert.deepEqual(world.change(entrance("192.0.2.8")), ["api.example", "shop.example"]);
    assert.deepEqual(world.at("shop.example"), ["A 192.0.2.8"]);
    world.change(entrance("192.0.2.8", "istio: egress"));
    assert.equal(world.at("shop.example"), undefined);
  });

  it("gives hosts of gateways of all clusters the addresses that each has in its own", () => {
    const gateways = (network: string) =>
      `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: public, namespace: prod }
spec:
  selector: { istio: ingress }
  servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: attached, namespace: prod }
spec: { gatewayClassName: envoy, listeners: [{ name: web, port: 80, protocol: HTTP }] }
status: { addresses: [{ type: IPAddress, value: ${network}.8 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: api, namespace: prod }
spec: { hostnames: [api.example], parentRefs: [{ name: attached }] }
---
${service("ingress", `{ clusterIP: 10.0.0.9, type: LoadBalancer, externalIPs: [${network}.7], selector: { istio: ingress } }`)}`;
    const east = (network: string) =>
      objectsOf(gateways(network)).map(({ kind, value }) => toObject(kind, valueIn(value, "east")));
    const world = new World(gateways("192.0.2"));
    world.store.apply({ set: east("198.51.100") });
    world.told();
    assert.deepEqual(world.at("shop.example"), ["A 192.0.2.7", "A 198.51.100.7"]);
    assert.deepEqual(world.at("api.example"), ["A 192.0.2.8", "A 198.51.100.8"]);
    world.store.apply({ set: east("203.0.113") });
    assert.deepEqual(world.told(), ["api.example", "shop.example"]);
    assert.deepEqual(world.at("shop.example"), ["A 192.0.2.7", "A 203.0.113.7"]);
    assert.deepEqual(world.at("api.example"), ["A 192.0.2.8", "A 203.0.113.8"]);
    world.store.apply({ delete: [{ kind: "Gateway", namespace: "prod", name: "attached@east" }] });
    assert.deepEqual(world.told(), ["api.example"]);
    assert.deepEqual(world.at("api.example"), ["A 192.0.2.8"]);
  });

  it("gives names of DNSEndpoints the records that are written there", () => {
    const endpoints = (items: string, annotations = "{}") =>
      `apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: { name: records, namespace: prod, annotations: ${annotations} }
spec: { endpoints: [${items}] }
---
`;
    const world = new World(
      endpoints(`
        { dnsName: a.example, recordType: A, recordTTL: 60, targets: [192.0.2.1, 192.0.2.2], labels: { owner: me } },
        { dnsName: A.example., recordType: AAAA, recordTTL: 30, targets: ["2001:db8::1"], setIdentifier: west },
        { dnsName: a.example, recordType: TXT, targets: ['"heritage=external-dns,owner=me"', two words] },
        { dnsName: b.example, recordType: CNAME, targets: [a.example., c.example] },
        { dnsName: _sip._udp.example, recordType: SRV, recordTTL: 200000, targets: [10 20 5060 sip.example.] },
        { dnsName: "*.wild.example", recordType: A, recordTTL: 0, targets: [192.0.2.3] },
        { dnsName: mail.example, recordType: MX, targets: ["10 mx.example"] }`),
    );
    assert.deepEqual(world.at("a.example"), [
      "A 192.0.2.1",
      "A 192.0.2.2",
      "AAAA 2001:db8::1",
      "TXT heritage=external-dns,owner=me",
      "TXT two words",
    ]);
    // A name has one alias.
    assert.deepEqual(world.at("b.example"), ["CNAME a.example"]);
    assert.deepEqual(world.at("_sip._udp.example"), ["SRV 10 20 5060 sip.example"]);
    assert.deepEqual(world.at("wild.example", true), ["A 192.0.2.3"]);
    assert.equal(world.at("mail.example"), undefined);
    const ttls = () =>
      ["a.example", "_sip._udp.example", "b.example"].map((name) =>
        [...world.table.entriesAt(wireOf(name), false)].map((entry) => contentOf(entry).ttl),
      );
    assert.deepEqual(ttls(), [[30], [86_400], [5]]);
    assert.deepEqual(
      world.change(
        endpoints(
          `{ dnsName: a.example, recordType: A, recordTTL: 60, targets: [192.0.2.1] },
           { dnsName: b.example, recordType: A, targets: [192.0.2.4] }, { dnsName: b.example, recordType: CNAME, targets: [a.example] }`,
          '{ networking.istio.io/exportTo: "., web", dns.mesh/ttl: 2m }',
        ),
      ),
      // In the group that they have left, and in the one that they have now.
      ["_sip._udp.example", "a.example", "a.example", "b.example", "b.example", "wild.example"],
    );
    const [entry] = world.table.entriesAt(wireOf("a.example"), false);
    assert.deepEqual(entry?.group.exportTo, ["prod", "web"]);
    assert.deepEqual(world.at("b.example"), ["A 192.0.2.4"]);
    assert.deepEqual(ttls(), [[60], [], [120]]);
  });

  it("cuts a long text of a DNSEndpoint into character-strings", () => {
    const world = new World(
      `apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: { name: records, namespace: prod }
spec: { endpoints: [{ dnsName: a.example, recordType: TXT, targets: ["${"é".repeat(200)}", ""] }] }
`,
    );
    const [entry] = world.table.entriesAt(wireOf("a.example"), false);
    assert.ok(entry);
    const [long, none] = contentOf(entry).records.map(({ data }) => Buffer.from(data, "latin1"));
    assert.deepEqual([long?.[0], long?.[256], long?.length], [255, 145, 402]);
    const text = long && Buffer.concat([long.subarray(1, 256), long.subarray(257)]);
    assert.equal(text?.toString(), "é".repeat(200));
    assert.deepEqual([...(none ?? [])], [0]);
  });

  it("gives hosts of the Gateway API's gateways and routes the gateway's addresses", () => {
    const gateway = (address: string) =>
      `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public, namespace: prod }
spec:
  gatewayClassName: envoy
  listeners:
    - { name: web, port: 80, protocol: HTTP, hostname: "*.example" }
    - { name: one, port: 81, protocol: HTTP, hostname: one.other.example.org }
status: { addresses: [{ type: IPAddress, value: ${address} }] }
---
`;
    const route = (hostname: string, more = "") =>
      `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${hostname.replaceAll(/[.*]/g, "")}, namespace: web }
spec: { hostnames: ["${hostname}"], parentRefs: [{ name: public, namespace: prod }] }
${more}---
`;
    const refusal =
      "status: { parents: [{ parentRef: { name: public, namespace: prod }, conditions: [{ type: Accepted, status: 'False' }] }] }\n";
    const routes = [
      route("a.example"),
      route("b.elsewhere"),
      route("*.other.example.org"),
      route("c.example", refusal),
    ];
    const world = new World(gateway("192.0.2.7") + routes.join(""));
    assert.deepEqual(world.at("example", true), ["A 192.0.2.7"]);
    assert.deepEqual(world.at("a.example"), ["A 192.0.2.7"]);
    // What both have, where one of them covers the other.
    assert.equal(world.at("b.elsewhere"), undefined);
    assert.equal(world.at("other.example.org", true), undefined);
    assert.equal(world.at("c.example"), undefined);
    const groups = [...world.table.entriesAt(wireOf("one.other.example.org"), false)].map(
      ({ group }) => group.namespace,
    );
    assert.deepEqual(groups.sort(), ["prod", "web"]);
    world.change(gateway("lb.example.net"));
    assert.deepEqual(world.at("a.example"), ["CNAME lb.example.net"]);
  });

  it("lets a ServiceEntry choose workloads, and follows them", () => {
    const chosen = (address: string, app = "vm") =>
      `apiVersion: networking.istio.io/v1beta1\nkind: WorkloadEntry\nmetadata: { name: vm-1, namespace: prod }\nspec: { address: ${address}, labels: { app: ${app} } }\n---\n`;
    const spec = "{ hosts: [vm.example], resolution: STATIC, workloadSelector: { labels: { app: vm } } }";
    const world = new World(entry(spec) + chosen("10.7.0.1"));
    assert.deepEqual(world.at("vm.example"), ["A 10.7.0.1"]);
    assert.deepEqual(world.change(chosen("10.7.0.2")), ["vm.example"]);
    assert.deepEqual(world.at("vm.example"), ["A 10.7.0.2"]);
    world.change(chosen("10.7.0.2", "other"));
    assert.equal(world.at("vm.example"), undefined);
  });

  it("keeps a wildcard apart from the name below which it holds", () => {
    const world = new World(
      entry(`{ hosts: ["*.wild.example", wild.example], addresses: [192.0.2.1], resolution: STATIC }`),
    );
    assert.deepEqual(world.at("wild.example", true), ["A 192.0.2.1"]);
    assert.deepEqual(world.at("wild.example"), ["A 192.0.2.1"]);
  });

  it("tells exactly the names that an object's change makes other", () => {
    const world = new World(
      service("db", "{ clusterIP: None }") +
        slice("db-1", "db", "{ addresses: [10.1.0.1], hostname: db-0 }, { addresses: [10.1.0.2], hostname: db-1 }") +
        service("web", "{ clusterIP: 10.0.0.1 }"),
    );
    assert.deepEqual(world.change(service("web", "{ clusterIP: 10.0.0.1, externalName: ignored.example }")), []);
    assert.deepEqual(
      world.change(
        slice("db-1", "db", "{ addresses: [10.1.0.1], hostname: db-0 }, { addresses: [10.1.0.3], hostname: db-1 }"),
      ),
      ["2.0.1.10.in-addr.arpa", "3.0.1.10.in-addr.arpa", "db-1.db.prod.svc.cluster.local", "db.prod.svc.cluster.local"],
    );
    assert.deepEqual(world.remove("Service", "prod", "web"), ["1.0.0.10.in-addr.arpa", "web.prod.svc.cluster.local"]);
    // The namespace is still there by the other service.
    assert.deepEqual(world.at("prod.svc.cluster.local"), []);
    world.remove("Service", "prod", "db");
    assert.equal(world.at("prod.svc.cluster.local"), undefined);
  });

  it("says the same, whether it was there from the start or came change by change", () => {
    const parts = [
      service("db", "{ clusterIP: None }"),
      slice("db-1", "db", "{ addresses: [10.1.0.1], hostname: db-0 }"),
      slice("db-2", "db", "{ addresses: [10.1.0.2] }"),
      service("web", "{ clusterIP: 10.0.0.1 }", '{ dns.mesh/ttl: 1m, networking.istio.io/exportTo: "." }'),
      entry("{ hosts: [api.partner.example], addresses: [192.0.2.1], resolution: STATIC }"),
    ];
    const dump = ({ table }: World) =>
      [...table.groups()]
        .flatMap(({ key, entries }) =>
          [...entries.values()].map((one) => `${key} ${nameOf(one.name)} ${JSON.stringify(contentOf(one))}`),
        )
        .sort();
    const whole = dump(new World(parts.join("")));
    assert.equal(whole.filter((line) => line.startsWith("prod|prod ")).length, 3);
    for (const order of [parts, [...parts].reverse()]) {
      const world = new World("");
      for (const part of order) world.change(part);
      assert.deepEqual(dump(world), whole);
    }
  });
});
