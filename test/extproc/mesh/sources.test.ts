import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { toListed } from "../../../extproc/mesh/sources/mesh-source.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { LocalObjects } from "../../../extproc/mesh/sources/pushed-objects.ts";
import { readUsual } from "../../../extproc/mesh/sources/read-value.ts";
import { OBJECT_SCHEMAS } from "../../../extproc/mesh/sources/schema.ts";
import { type WorkloadChanges, workloadsOf } from "../../../extproc/mesh/sources/workloads.ts";
import { objectsOf, problemsOf } from "./objects.ts";

const POD = `
apiVersion: v1
kind: Pod
metadata:
  name: web-0
  namespace: prod
  uid: 7c1f8a8e-0000-0000-0000-000000000000
  labels: { app: web }
  managedFields: [{ manager: kubelet, operation: Update }]
spec:
  nodeName: node-1
  containers: [{ name: main, image: web }]
status:
  phase: Running
  podIP: 10.0.0.7
  podIPs: [{ ip: 10.0.0.7 }, { ip: "fd00::0:7" }]
  hostIP: 192.0.2.1
`;

const NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: { name: prod, labels: { tier: gold } }\n";

/** There is another kind of this word. */
const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front, namespace: prod }
spec: { selector: { app: front }, servers: [{ hosts: [shop.example] }] }
`;

/** As Kubernetes' API gives them. */
const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name: "web",
    namespace: "prod",
    uid: "4f2d5c1e",
    labels: { app: "web" },
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
  },
  spec: {
    type: "ClusterIP",
    clusterIP: "10.0.0.1",
    clusterIPs: ["10.0.0.1", "fd00::1"],
    publishNotReadyAddresses: true,
    ipFamilies: ["IPv4", "IPv6"],
    selector: { app: "web" },
    ports: [
      { name: "http", port: 80, protocol: "TCP", targetPort: 8080 },
      { name: "", port: 53, protocol: "UDP" },
    ],
  },
  status: { loadBalancer: {} },
};
const SLICE = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "web-abcde", namespace: "prod", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }, {}],
  endpoints: [
    {
      addresses: ["10.1.0.1"],
      conditions: { ready: true, serving: true },
      hostname: "web-0",
      nodeName: "one",
      zone: "z",
      targetRef: { kind: "Pod", name: "web-0" },
    },
    { addresses: ["10.1.0.2", "10.1.0.3"], conditions: { ready: false } },
    { addresses: [] },
  ],
};

/** Values that stand where others are expected, or are those of another place. */
const STRANGE: readonly unknown[] = [
  ...[null, true, 0, 80, 65_536, 1.5, -1, "", "None", "none", "TCP", "SCTP", "tcp", "A_b", "a.b", "ab", "-a"],
  ...["10.0.0.1", "10.0.0.01", "fd00::1", "IPv6", "FQDN", "ExternalName", "LoadBalancer", "*", "5s", "a".repeat(64)],
  ...[[], {}, [{}], ["10.0.0.1"], ["fd00::1"], [null], { a: "b" }, { a: 1 }, JSON.parse('{ "__proto__": "a" }')],
  ...[{ ready: true }, { ready: null }, { ingress: [] }, { ingress: [{ ip: "192.0.2.1" }] }, { loadBalancer: null }],
  ...[{ "dns.mesh/ttl": "5s" }, { "dns.mesh/ttl": "five" }, { "networking.istio.io/exportTo": "." }],
];
/** Names of fields that an object may have more of. */
const MORE = ["externalName", "externalIPs", "annotations", "hostname", "zone", "labels", "constructor"];

type Edit = (object: unknown) => void;
type Place = Record<string, unknown>;

/** Each makes one field, of those that the object has, gone, strange, or one more. */
function editsOf(object: unknown, path: readonly string[] = []): Edit[] {
  if (typeof object !== "object" || object === null) return [];
  const edit =
    (key: string, value: unknown): Edit =>
    (whole) => {
      const place = path.reduce<unknown>((at, step) => (at as Place | null)?.[step], whole);
      if (typeof place !== "object" || place === null) return;
      if (value === undefined && Array.isArray(place)) place.splice(Number(key), 1);
      else if (value === undefined) delete (place as Place)[key];
      else (place as Place)[key] = structuredClone(value);
    };
  const more = Array.isArray(object) ? [] : MORE;
  return [
    ...[...new Set([...Object.keys(object), ...more])].flatMap((key) => STRANGE.map((value) => edit(key, value))),
    ...Object.entries(object).flatMap(([key, value]) => [edit(key, undefined), ...editsOf(value, [...path, key])]),
  ];
}

/** What is not there and what is undefined are written alike. */
function written(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null));
}

describe("objects of the mesh", () => {
  it("keeps the fields that are used, and leaves the others out", () => {
    const [pod] = objectsOf(POD);
    assert.ok(pod?.kind === "Pod");
    const { text } = toListed(pod);
    assert.match(text, /podIP: 10\.0\.0\.7/);
    assert.doesNotMatch(text, /managedFields|containers|hostIP|uid/);
    // What is listed can be applied again, and says the same.
    assert.deepEqual(objectsOf(text), [pod]);
  });

  it("says where a host has a character that only looks like a hyphen", () => {
    const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db }
spec:
  hosts:
    - good.example.com
    - my\u2013db.example.com
  resolution: DNS
`;
    const [problem] = problemsOf(entry);
    assert.match(
      problem ?? "",
      /^test: document 1, line 7, spec\.hosts\[1\]: expected ASCII, got U\+2013 at character 3/,
    );
    assert.match(problem ?? "", /a dash that only looks like "-"/);
  });

  it("is strict about what is used", () => {
    const service = (spec: string) => `apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: ${spec}\n`;
    const cases: [string, RegExp][] = [
      [
        service("{ clusterIP: 10.0.0 }"),
        /spec\.clusterIP: expected an address, None, or an empty text, got "10\.0\.0"/,
      ],
      [service("{ type: ExternalName }"), /spec\.externalName: expected a name with type ExternalName, got nothing/],
      [service('{ ports: [{ port: "80" }] }'), /spec\.ports\[0\]\.port: expected a number, got "80"/],
      [service("{ type: Clusterip }"), /spec\.type: expected one of ClusterIP, .* got "Clusterip"/],
      ["apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }", /kind: expected one of Namespace, .* got "ConfigMap"/],
      [
        "apiVersion: v1\nkind: EndpointSlice\nmetadata: { name: a }",
        /apiVersion: expected discovery\.k8s\.io\/v1 with/,
      ],
      [
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: a }\naddressType: IPv4\nendpoints: [{ addresses: ['fd00::1'] }]",
        /endpoints\[0\]\.addresses\[0\]: expected an IPv4 address, got "fd00::1"/,
      ],
      [
        "apiVersion: externaldns.k8s.io/v1alpha1\nkind: DNSEndpoint\nmetadata: { name: a }\nspec: { endpoints: [{ dnsName: a.example, recordType: SRV, targets: [5060 sip] }] }",
        /endpoints\[0\]\.targets\[0\]: expected 4 fields of data, in a record as SRV 10 5 443 host.example, got "5060 sip"/,
      ],
      [`${NAMESPACE}---\n${NAMESPACE}`, /document 2.*expected each object once, got Namespace\/prod again/],
    ];
    for (const [text, expected] of cases) assert.match(problemsOf(text).join("\n"), expected);
  });

  it("takes apart what kubectl prints of several objects", () => {
    const items = [POD, NAMESPACE].map((text) => `- ${text.trim().replaceAll("\n", "\n  ")}`).join("\n");
    const objects = objectsOf(`apiVersion: v1\nkind: List\nitems:\n${items}\n`);
    assert.deepEqual(
      objects.map(({ kind, namespace, name }) => [kind, namespace, name]),
      [
        ["Pod", "prod", "web-0"],
        ["Namespace", "", "prod"],
      ],
    );
    const bad = problemsOf(`apiVersion: v1\nkind: PodList\nitems:\n  - metadata: { name: A }\n`);
    assert.match(bad[0] ?? "", /line 4, items\[0\]\.metadata\.name: expected 1 to 253/);
  });

  it("are kept as what they were, whatever their endpoints have", () => {
    const slice = (endpoints: string) =>
      `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: a }\naddressType: IPv4\n${endpoints}`;
    const first = "addresses: [10.0.0.1]";
    for (const [text, expected] of [
      ["", []],
      ["endpoints: null", []],
      [`endpoints: [{ ${first}, nodeName: one, zone: z, hostname: h, conditions: { ready: false, serving: true } }]`],
      [`endpoints: [{ ${first}, conditions: null }, { addresses: null, conditions: {} }, { ${first}, zone: null }]`],
      [`endpoints: [{ ${first} }, { addresses: [10.0.0.2, 10.0.0.3], conditions: { ready: true } }]`],
    ] as const) {
      const [object] = objectsOf(slice(text));
      assert.ok(object?.kind === "EndpointSlice");
      const store = new ObjectStore();
      store.apply({ set: [object] });
      const kept = store.get("EndpointSlice", "default", "a");
      assert.ok(kept !== undefined);
      const fields = ({ value }: typeof kept) =>
        JSON.stringify(value.endpoints.map(({ conditions, ...others }) => ({ ...others, ready: conditions?.ready })));
      assert.equal(fields(kept), fields(object));
      if (expected !== undefined) assert.deepEqual(kept.value.endpoints, expected);
      assert.deepEqual(store.apply({ set: objectsOf(slice(text)) }), []);
      assert.equal(store.apply({ set: objectsOf(slice("endpoints: [{ addresses: [10.9.9.9] }]")) }).length, 1);
    }
    for (const [text, problem] of [
      ["endpoints: 5", /endpoints: expected .*, got 5/],
      [`endpoints: [{ ${first} }, { ${first}, hostname: A_b }]`, /endpoints\[1\]\.hostname: expected 1 to 63 .*"A_b"/],
      [`endpoints: [{ ${first}, conditions: { ready: 5 } }]`, /endpoints\[0\]\.conditions\.ready: expected .*, got 5/],
      [`endpoints: [{ ${first}, nodeName: 5 }]`, /endpoints\[0\]\.nodeName: expected .*, got 5/],
    ] as const) {
      assert.match(problemsOf(slice(text)).join("\n"), problem);
    }
  });

  it("are read by hand exactly as the schema reads them, or not at all", () => {
    for (const [kind, object] of [["Service", SERVICE] as const, ["EndpointSlice", SLICE] as const]) {
      let known = 0;
      const look = (edits: readonly Edit[]) => {
        const value = structuredClone(object);
        for (const edit of edits) edit(value);
        const read = readUsual(kind, value);
        if (read === undefined) return;
        known++;
        const result = OBJECT_SCHEMAS[kind].safeParse(value);
        assert.ok(result.success, `the schema refuses ${JSON.stringify(value)}`);
        assert.deepEqual(written(read), written(result.data));
      };
      look([]);
      assert.equal(known, 1);
      const edits = editsOf(object);
      for (const edit of edits) look([edit]);
      fc.assert(fc.property(fc.shuffledSubarray(edits, { minLength: 2, maxLength: 3 }), look), {
        numRuns: 1000,
        seed: 1,
      });
      assert.ok(known > 500, `${known} of ${edits.length} ${kind}s are read by hand`);
    }
  });

  it("tells changes alone, each with what was before", () => {
    const store = new ObjectStore();
    const heard: string[] = [];
    store.onChange((changes) => {
      heard.push(changes.map(({ key, before, after }) => `${key.kind} ${!!before} ${!!after}`).join(","));
    });
    store.apply({ set: objectsOf(POD) });
    store.apply({ set: objectsOf(POD) });
    store.apply({ set: objectsOf(NAMESPACE), replace: true });
    store.apply({ delete: [{ kind: "Pod", namespace: "prod", name: "web-0" }] });
    assert.deepEqual(heard, ["Pod false true", "Namespace false true,Pod true false"]);
  });

  it("gives tenants' matching pods and namespaces", () => {
    const store = new ObjectStore();
    const workloads = workloadsOf(store);
    const heard: WorkloadChanges[] = [];
    workloads.onChange((changes) => heard.push(changes));
    store.apply({ set: [...objectsOf(POD), ...objectsOf(NAMESPACE)] });
    const web = { namespace: "prod", name: "web-0", labels: { app: "web" }, hostNetwork: false };
    assert.deepEqual([...workloads.pods()], [{ ...web, addresses: ["10.0.0.7", "fd00::7"] }]);
    assert.deepEqual(workloads.namespace("prod")?.labels, { "kubernetes.io/metadata.name": "prod", tier: "gold" });
    // A pod that has ended keeps its address in its status, which another may have by now.
    store.apply({ set: objectsOf(POD.replace("Running", "Succeeded")) });
    assert.deepEqual(heard[1]?.pods[0]?.after?.addresses, []);
    // Nothing that matters here has changed.
    store.apply({ set: objectsOf(POD.replace("Running", "Failed").replace("node-1", "node-2")) });
    assert.equal(heard.length, 2);
  });

  it("keeps objects over a restart, and over a kill in the middle of a line", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-mesh-"));
    const path = join(folder, "mesh", "objects.jsonl");
    try {
      const first = await LocalObjects.open(path);
      await first.apply({ set: [...objectsOf(POD), ...objectsOf(NAMESPACE)] });
      await first.apply({ delete: [{ kind: "Namespace", namespace: "", name: "prod" }] });
      await first.close();
      await appendFile(path, '{"set":{"kind":"Na');
      const second = await LocalObjects.open(path);
      assert.deepEqual([...second.objects.all()], objectsOf(POD));
      await second.apply({ set: [...objectsOf(NAMESPACE), ...objectsOf(GATEWAY)] });
      await second.close();
      const third = await LocalObjects.open(path);
      assert.equal(third.objects.size, 3);
      assert.deepEqual([...third.objects.list("IstioGateway")], objectsOf(GATEWAY));
      await third.close();
      assert.equal((await readFile(path, "utf8")).trim().split("\n").length, 5);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
