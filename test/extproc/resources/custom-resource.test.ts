/** The kinds as CustomResourceDefinitions, by the words of a structural schema. A real API server judges them in test/kubernetes. */
import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { customResources, resourcePath } from "../../../extproc/resources/custom-resource.ts";
import { KINDS } from "../../../extproc/resources/json-schema.ts";
import { runCommand } from "../cli/run-command.ts";

interface Definition {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly scope: string;
    readonly names: { readonly kind: string; readonly plural: string; readonly shortNames: readonly string[] };
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

interface Schema {
  readonly [word: string]: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

const UNKNOWN = ["$ref", "$defs", "const", "default", "anyOf", "oneOf", "prefixItems", "propertyNames"];

function* nodesOf(schema: Schema, path: string): Generator<[string, Schema]> {
  yield [path, schema];
  for (const [name, one] of Object.entries(schema.properties ?? {})) yield* nodesOf(one, `${path}.${name}`);
  if (schema.items) yield* nodesOf(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* nodesOf(schema.additionalProperties, `${path}{}`);
}

describe("the kinds as CustomResourceDefinitions", () => {
  const definitions = customResources() as readonly Definition[];
  const schemaOf = (kind: string) => {
    const definition = definitions.find(({ spec }) => spec.names.kind === kind);
    return definition?.spec.versions[0]?.schema.openAPIV3Schema ?? {};
  };

  it("are of every kind, with names of their own", () => {
    assert.deepEqual(
      definitions.map(({ spec }) => spec.names.kind),
      KINDS,
    );
    const short = definitions.flatMap(({ spec }) => spec.names.shortNames);
    assert.equal(new Set(short).size, KINDS.length);
    for (const [index, { metadata, spec }] of definitions.entries()) {
      assert.equal(metadata.name, `${spec.names.plural}.dns.mesh`);
      assert.equal(resourcePath(KINDS[index] ?? "Tenant"), `/apis/dns.mesh/v1alpha1/${spec.names.plural}`);
    }
  });

  it("leave to namespaces what a tenant says of itself, and nothing else", () => {
    const namespaced = definitions.filter(({ spec }) => spec.scope === "Namespaced");
    assert.deepEqual(
      namespaced.map(({ spec }) => spec.names.kind),
      ["DnsPolicy"],
    );
  });

  it("have a type everywhere, and no word that Kubernetes does not know", () => {
    for (const kind of KINDS) {
      for (const [path, node] of nodesOf(schemaOf(kind), kind)) {
        assert.ok(node.type !== undefined || node["x-kubernetes-preserve-unknown-fields"] === true, path);
        assert.deepEqual(
          UNKNOWN.filter((word) => word in node),
          [],
          path,
        );
      }
    }
  });

  it("say in CEL what the schema says of fields together", () => {
    const [rule] = [...nodesOf(schemaOf("DnsPolicy"), "")].find(([path]) => path === ".spec.rules[]") ?? [];
    assert.ok(rule);
    const rules = [...nodesOf(schemaOf("DnsPolicy"), "")].flatMap(
      ([, node]) => (node["x-kubernetes-validations"] ?? []) as { readonly rule: string; readonly message: string }[],
    );
    assert.ok(rules.some(({ rule }) => rule === 'self.action != "Route" || has(self.route)'));
    for (const { message } of rules) assert.match(message, /^expected /);
  });

  it("are printed for kubectl", async () => {
    const { code, stdout } = await runCommand(["crds"]);
    assert.equal(code, 0);
    assert.deepEqual(
      parseAllDocuments(stdout).map((document) => document.toJS()),
      JSON.parse(JSON.stringify(definitions)),
    );
  });
});
