import assert from "node:assert/strict";
import { Credentials, digestOf } from "../../../extproc/server/admin/credentials.ts";
import { Harness } from "./harness.ts";
import { TENANT, upstream } from "./policies.ts";

const SERVICE =
  "apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: prod }\nspec: { clusterIP: 10.0.0.1 }\n";
const NODE = "apiVersion: v1\nkind: Node\nmetadata: { name: node-1 }\n";

describe("objects of the mesh by the admin API", () => {
  let harness: Harness;
  afterEach(() => harness.stop());

  it("are applied, listed, got and deleted, and make no version", async () => {
    harness = await Harness.start();
    const history = await harness.http({ path: "/v1/history" });
    const applied = await harness.apply(`${SERVICE}---\n${NODE}`);
    assert.equal(applied.status, 200, applied.text);
    assert.deepEqual(JSON.parse(applied.text).changes, [
      { kind: "Service", name: "prod/web", change: "created" },
      { kind: "Node", name: "node-1", change: "created" },
    ]);
    assert.equal(JSON.parse(applied.text).sequence, 1);
    const listed = await harness.http({ path: "/v1/resources?kind=Service" });
    assert.match(listed.text, /kind: Service/);
    assert.doesNotMatch((await harness.http({ path: "/v1/resources" })).text, /kind: Service/);
    assert.match((await harness.http({ path: "/v1/resources/Service/prod%2Fweb" })).text, /clusterIP: 10\.0\.0\.1/);
    assert.equal((await harness.http({ path: "/v1/resources/Service/web" })).status, 404);
    const remove = () => harness.http({ method: "DELETE", path: "/v1/resources/Service/prod%2Fweb" });
    assert.equal((await remove()).status, 200);
    assert.equal((await remove()).status, 404);
    assert.equal((await harness.http({ path: "/v1/history" })).text, history.text);
  });

  it("stand beside policy in one file: all of it, or nothing", async () => {
    harness = await Harness.start();
    const bad = await harness.apply(`${upstream(53, "TCP", "plain")}---\n${SERVICE.replace("10.0.0.1", "ten")}`);
    assert.equal(bad.status, 400);
    assert.match(JSON.parse(bad.text).problems[0].path, /^spec\.clusterIP$/);
    assert.equal(harness.service.control.sequence, 1);
    const worse = await harness.apply(`${TENANT.replace("Tenant", "Tenat")}---\n${SERVICE}`);
    assert.equal(worse.status, 400);
    assert.equal((await harness.http({ path: "/v1/resources/Service/prod%2Fweb" })).status, 404);
    const good = await harness.apply(`${upstream(53, "TCP", "plain")}---\n${SERVICE}`);
    assert.equal(good.status, 200, good.text);
    assert.equal(JSON.parse(good.text).sequence, 2);
  });

  it("prune what is of their kind only, and change nothing in a dry run", async () => {
    harness = await Harness.start();
    await harness.apply(`${SERVICE}---\n${NODE}`);
    const dry = await harness.apply(NODE, "?prune=true&dryRun=true");
    assert.deepEqual(JSON.parse(dry.text).changes, [
      { kind: "Node", name: "node-1", change: "unchanged" },
      { kind: "Service", name: "prod/web", change: "deleted" },
    ]);
    assert.equal((await harness.http({ path: "/v1/resources/Service/prod%2Fweb" })).status, 200);
    await harness.apply(NODE, "?prune=true");
    assert.equal((await harness.http({ path: "/v1/resources/Service/prod%2Fweb" })).status, 404);
    assert.match((await harness.http({ path: "/v1/resources" })).text, /kind: Tenant/);
  });

  it("are no tenant's editor's to change", async () => {
    const adminCredentials = new Credentials([
      { name: "ci", role: "editor", tenant: "frontend", digest: digestOf("secret") },
    ]);
    harness = await Harness.start({ adminCredentials });
    const headers = { "content-type": "application/yaml", authorization: "Bearer secret" };
    const refused = await harness.http({ method: "PUT", path: "/v1/resources", headers, body: SERVICE });
    assert.equal(refused.status, 403, refused.text);
    assert.equal((await harness.http({ path: "/v1/resources/Service/prod%2Fweb" })).status, 404);
  });
});
