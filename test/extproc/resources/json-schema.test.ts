import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parseAllDocuments } from "yaml";
import { KINDS, kindSchema, resourceSchema } from "../../../extproc/resources/json-schema.ts";
import { SCHEMAS } from "../../../extproc/resources/schema.ts";
import { API_VERSION } from "../../../extproc/resources/schema-parts.ts";
import { POLICY } from "../server/policies.ts";

describe("the kinds as JSON Schema", () => {
  const ajv = new Ajv2020();
  const accepts = ajv.compile(resourceSchema());
  const documents = (text: string) => parseAllDocuments(text).map((yaml) => yaml.toJS());

  it("takes what is written in examples and tests", () => {
    const examples = new URL("../../../examples/", import.meta.url);
    const texts = readdirSync(examples)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => readFileSync(new URL(name, examples), "utf8"));
    // Objects of the mesh are written in their owners' formats.
    const ours = ({ apiVersion }: { readonly apiVersion: string }) => apiVersion === API_VERSION;
    const resources = [...texts, POLICY].flatMap(documents).filter(ours);
    assert.ok(resources.length > 10);
    for (const resource of resources as { readonly kind: string }[]) {
      assert.ok(accepts(resource), `${JSON.stringify(resource)}: ${ajv.errorsText(accepts.errors)}`);
      assert.ok(SCHEMAS[resource.kind as keyof typeof SCHEMAS].safeParse(resource).success);
    }
  });

  it("takes what `get -o yaml` prints", () => {
    const [tenant] = documents(POLICY);
    assert.ok(accepts({ ...tenant, metadata: { ...tenant.metadata, generation: 3 }, status: { conditions: [] } }));
  });

  it("refuses unknown fields and wrong types", () => {
    const [tenant] = documents(POLICY);
    assert.equal(accepts({ ...tenant, spec: { ...tenant.spec, upstreams: ["x"] } }), false);
    assert.equal(accepts({ ...tenant, spec: { ...tenant.spec, upstream: 7 } }), false);
    assert.equal(accepts({ ...tenant, kind: "Tenants" }), false);
  });

  it("has every kind, each for itself, too", () => {
    assert.deepEqual(KINDS, Object.keys(SCHEMAS));
    for (const kind of KINDS) assert.doesNotThrow(() => ajv.compile(kindSchema(kind)));
  });
});
