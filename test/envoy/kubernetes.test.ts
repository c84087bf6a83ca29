/**
 * The manifests in envoy/kubernetes: every field is one of the Kubernetes API, and what they start takes its arguments.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as kubernetes from "@kubernetes/client-node";
import { parse, parseAllDocuments } from "yaml";
import { RESOURCES } from "../../extproc/mesh/sources/kubernetes.ts";
import { resourcePath } from "../../extproc/resources/custom-resource.ts";
import { KINDS } from "../../extproc/resources/json-schema.ts";
import { runCommand } from "../extproc/cli/run-command.ts";

const FOLDER = join(import.meta.dirname, "../../envoy/kubernetes");

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  spec?: { template?: { spec: PodSpec }; clusterIP?: string; ports?: { port: number }[] };
}

interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  volumes: { name: string; configMap?: { name: string } }[];
}

interface Container {
  name: string;
  args?: string[];
  volumeMounts?: { name: string }[];
}

interface Attribute {
  baseName: string;
  type: string;
}

type Model = { getAttributeTypeMap(): Attribute[] };
const models = kubernetes as unknown as Record<string, Model | undefined>;

/** What is wrong with a value of a type of the API, by the client library's own table of types. */
function problemsOf(value: unknown, type: string, path: string): string[] {
  const item = /^Array<(.*)>$/.exec(type)?.[1] ?? /^Set<(.*)>$/.exec(type)?.[1];
  if (item !== undefined) {
    if (!Array.isArray(value)) return [`${path}: expected a list`];
    return value.flatMap((one, index) => problemsOf(one, item, `${path}[${index}]`));
  }
  const entry = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (entry !== undefined)
    return Object.entries(value as object).flatMap(([key, one]) => problemsOf(one, entry, `${path}.${key}`));
  const model = models[type];
  if (model === undefined) {
    const fits = type === "any" || type === "object" || type === "IntOrString" || typeof value === type;
    return fits ? [] : [`${path}: expected ${type}, got ${typeof value}`];
  }
  if (typeof value !== "object" || value === null) return [`${path}: expected ${type}`];
  const attributes = model.getAttributeTypeMap();
  return Object.entries(value).flatMap(([key, one]) => {
    const attribute = attributes.find(({ baseName }) => baseName === key);
    return attribute === undefined
      ? [`${path}.${key}: no field of ${type}`]
      : problemsOf(one, attribute.type, `${path}.${key}`);
  });
}

for (const deployment of ["node-local", "sidecar", "store"]) {
  describe(`Kubernetes manifests of ${deployment}`, () => {
    const read = (file: string) => readFileSync(join(FOLDER, deployment, file), "utf8");
    const kustomization = parse(read("kustomization.yaml")) as {
      resources: string[];
      configMapGenerator?: { name: string; files: string[] }[];
    };
    const manifests = kustomization.resources.flatMap((file) =>
      parseAllDocuments(read(file), { merge: true }).map((document) => document.toJS() as Manifest),
    );
    const pods = manifests.flatMap(({ spec }) => (spec?.template === undefined ? [] : [spec.template.spec]));

    it("have no field but those of the API", () => {
      assert.ok(manifests.length > 2 && pods.length > 0);
      for (const manifest of manifests) {
        assert.deepEqual(problemsOf(manifest, `V1${manifest.kind}`, manifest.kind), []);
      }
    });

    it("mount volumes that are there, of files that are there", () => {
      const maps = kustomization.configMapGenerator ?? [];
      for (const { files } of maps) for (const file of files) assert.notEqual(read(file), "");
      for (const { containers, initContainers = [], volumes } of pods) {
        const names = volumes.map(({ name }) => name);
        for (const { volumeMounts = [] } of [...containers, ...initContainers])
          for (const { name } of volumeMounts) assert.ok(names.includes(name), name);
        for (const { configMap } of volumes)
          if (configMap !== undefined)
            assert.ok(
              maps.some(({ name }) => name === configMap.name),
              configMap.name,
            );
      }
    });

    it("start a policy service that takes its arguments, with policies that are valid", async () => {
      const args = pods.flatMap(({ containers }) => containers).find(({ name }) => name === "policy")?.args ?? [];
      assert.deepEqual(args.slice(0, 2), ["dnspolicy.js", "serve"]);
      const help = (await runCommand(["serve", "--help"])).stdout;
      for (const argument of args.slice(2)) assert.ok(help.includes(`${argument.split("=")[0]} <`), argument);
      // In a store of the Kubernetes API, policies are objects of their own.
      if (kustomization.configMapGenerator === undefined) return;
      const { code, stdout, stderr } = await runCommand([
        "validate",
        "--strict",
        "-f",
        join(FOLDER, deployment, "policies.yaml"),
      ]);
      assert.equal(code, 0, stdout + stderr);
    });
  });
}

const rights = (names: readonly string[]) => names.map((name) => `${name} get,list,watch`).sort();

/** `GROUP/RESOURCE VERBS` of what a role allows. */
function rightsIn(deployment: string, kind: "ClusterRole" | "Role"): string[] {
  const access = parseAllDocuments(readFileSync(join(FOLDER, deployment, "access.yaml"), "utf8"));
  const role = access.map((document) => document.toJS() as Manifest).find((manifest) => manifest.kind === kind);
  return (role?.rules ?? [])
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource} ${[...verbs].sort()}`)),
    )
    .sort();
}

describe("Kubernetes manifests", () => {
  it("are looked at field by field", () => {
    const wrong = {
      spec: { replicas: "2", template: { spec: { containers: [{ name: "a", ports: [{ contanerPort: 1 }] }] } } },
    };
    assert.deepEqual(problemsOf(wrong, "V1Deployment", "Deployment"), [
      "Deployment.spec.replicas: expected number, got string",
      "Deployment.spec.template.spec.containers[0].ports[0].contanerPort: no field of V1ContainerPort",
    ]);
  });

  it("let the policy service see every kind that it watches, and nothing else", () => {
    const watched = RESOURCES.map(({ group = "", path }) => `${group}/${path.split("/").at(-1)}`);
    const ours = KINDS.map((kind) => `dns.mesh/${resourcePath(kind).split("/").at(-1)}`);
    const written = [...ours, "networking.istio.io/serviceentries"].map((name) => `${name}/status patch`);
    assert.deepEqual(rightsIn("node-local", "ClusterRole"), rights(watched));
    assert.deepEqual(rightsIn("store", "ClusterRole"), [...rights([...watched, ...ours]), ...written].sort());
    assert.deepEqual(rightsIn("store", "Role"), [
      "/configmaps create,get,list,update,watch",
      "coordination.k8s.io/leases create,delete,get,list,patch,update,watch",
    ]);
  });

  it("tell sidecars the address that the policy service has", () => {
    const [service] = parseAllDocuments(readFileSync(join(FOLDER, "sidecar/policy-service.yaml"), "utf8"))
      .map((document) => document.toJS() as Manifest)
      .filter(({ kind }) => kind === "Service");
    const envoy = readFileSync(join(FOLDER, "sidecar/envoy.yaml"), "utf8");
    const { clusterIP, ports } = service?.spec ?? {};
    assert.ok(
      envoy.includes(`{ address: ${clusterIP}, port_value: ${ports?.[0]?.port} }`),
      "envoy.yaml leads elsewhere",
    );
  });
});
