import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { OPERATIONS } from "../../../extproc/server/admin/api-description.ts";
import { describeApi } from "../../../extproc/server/admin/openapi.ts";
import { routes } from "../../../extproc/server/admin/routes.ts";
import { batchOf, eventOf } from "../telemetry/events.ts";
import { Harness, type HttpCall, until } from "./harness.ts";
import { WorkerPeer } from "./peers.ts";
import { DENY_COM, TENANT, upstream } from "./policies.ts";

const SHOP = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: shop, namespace: shop }
spec: { hosts: [shop.example], resolution: STATIC, workloadSelector: { labels: { app: shop } } }
`;

interface Reply {
  readonly content: Readonly<Record<string, { readonly schema: object }>>;
  readonly headers?: object;
}
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly $ref: string }[];
  readonly responses: Readonly<Record<string, Reply>>;
}
interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

describe("the description of the admin API", () => {
  const description = describeApi(routes) as Description;
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

  it("has the routes that there are, and no others", () => {
    const real = routes.flatMap(({ path, methods }) => Object.keys(methods).map((method) => `${method} ${path}`));
    assert.deepEqual(Object.keys(OPERATIONS).sort(), real.sort());
    assert.deepEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(), real);
    assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, real.length);
    assert.match(description.openapi, /^3\.1\./);
  });

  it("refers to what it has, and describes each variable of a path", () => {
    const references = [...JSON.stringify(description).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
    for (const [reference, section = "", name = ""] of references) {
      assert.ok(description.components[section]?.[name], reference);
    }
    for (const { path, operation } of operations) {
      const inPath = operation.parameters
        .map(({ $ref }) => description.components.parameters?.[$ref.split("/").at(-1) ?? ""] as Record<string, string>)
        .filter((parameter) => parameter.in === "path")
        .map((parameter) => parameter.name);
      assert.deepEqual(
        inPath,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      );
    }
  });

  it("says what the service really answers", async () => {
    const harness = await Harness.start();
    const ajv = new Ajv2020({ validateFormats: false, strictTypes: false });
    ajv.addKeyword("components");
    ajv.addSchema({ $id: "https://api.example/", components: description.components });
    const seen = new Set<string>();
    const call = async (path: string, request: HttpCall) => {
      const { method = "GET" } = request;
      const { status, headers, text } = await harness.http(request);
      const operation = description.paths[path]?.[method.toLowerCase()];
      const reply = operation?.responses[status];
      assert.ok(reply, `${method} ${path}: ${status}`);
      const [type = ""] = String(headers["content-type"]).split(";");
      const schema = reply.content[type]?.schema;
      assert.ok(schema, `${method} ${path}: ${status} ${type}`);
      const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"https://api.example/#/'));
      const valid = ajv.validate(absolute, type === "application/json" ? JSON.parse(text) : text);
      assert.ok(valid, `${method} ${path}: ${status}: ${ajv.errorsText()}\n${text}`);
      assert.equal("etag" in headers, reply.headers !== undefined, `${method} ${path}: ${status}`);
      seen.add(`${method} ${path}`);
      return status;
    };
    const json = { accept: "application/json" };
    const yaml = { "content-type": "application/yaml" };
    const put = (body: string, query = "", headers = {}) =>
      call("/v1/resources", { method: "PUT", path: `/v1/resources${query}`, headers: { ...yaml, ...headers }, body });
    try {
      const worker = WorkerPeer.hello(harness.client(), { node: "east", obedient: true });
      await worker.waitRevision(1);
      assert.equal(await put(upstream(1, "TCP", "plain"), "?reason=x"), 200);
      assert.equal(await put(upstream(2, "TCP", "plain"), "?dryRun=true"), 200);
      assert.equal(await put(DENY_COM.replace("*.com", "*.*")), 400);
      assert.equal(await put(TENANT, "", { "if-match": '"1"' }), 412);
      assert.equal(await put("", "", { "content-type": "text/html" }), 415);
      const plain = "/v1/resources/{kind}/{name}";
      for (const headers of [{}, json]) {
        assert.equal(await call("/v1/resources", { path: "/v1/resources", headers }), 200);
        assert.equal(await call(plain, { path: "/v1/resources/Upstream/plain", headers }), 200);
      }
      assert.equal(await call(plain, { path: "/v1/resources/Upstream/none" }), 404);
      assert.equal(await call(plain, { method: "DELETE", path: "/v1/resources/Upstream/plain" }), 200);
      assert.equal(await call(plain, { method: "DELETE", path: "/v1/resources/Upstream/plain" }), 404);
      assert.equal(await call("/v1/history", { path: "/v1/history" }), 200);
      for (const [version, status] of [
        ["1", 200],
        ["99", 404],
        ["x", 400],
      ] as const) {
        assert.equal(await call("/v1/history/{version}", { path: `/v1/history/${version}` }), status);
      }
      assert.equal(await call("/v1/rollback", { method: "POST", path: "/v1/rollback?version=2" }), 200);
      assert.equal(await call("/v1/drain", { method: "POST", path: "/v1/drain?node=none" }), 200);
      const workload = "/v1/workloads/{namespace}/{workload}";
      const register = (body: string) =>
        call(workload, {
          method: "PUT",
          path: "/v1/workloads/shop/vm-1",
          headers: { "content-type": "application/json" },
          body,
        });
      assert.equal(await put(SHOP), 200);
      assert.equal(await register('{"service": "shop", "address": "10.0.0.1"}'), 200);
      assert.equal(await register('{"service": "none", "address": "10.0.0.1"}'), 404);
      assert.equal(await register('{"service": "shop"}'), 400);
      assert.equal(await call(workload, { method: "DELETE", path: "/v1/workloads/shop/vm-1" }), 200);
      assert.equal(await call(workload, { method: "DELETE", path: "/v1/workloads/shop/vm-1" }), 404);
      for (const path of [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/caller",
        "/v1/workers",
        "/v1/status",
        "/v1/lint",
        "/v1/upstreams",
        "/v1/openapi.json",
      ]) {
        assert.equal(await call(path, { path }), 200);
      }
      const ask = (type: string, body: string) => {
        const request = { method: "POST", path: "/v1/explain", headers: { "content-type": type }, body };
        return call("/v1/explain", request);
      };
      assert.equal(await ask("application/json", '{"client": "127.0.1.1", "name": "a.com"}'), 200);
      assert.equal(await ask("application/json", '{"client": "127.0.1.1", "name": "a.org", "type": "AAAA"}'), 200);
      assert.equal(await ask("application/json", '{"client": "10.0.0.1", "name": "a.com"}'), 200);
      assert.equal(await ask("application/json", '{"client": "x", "nam": "a.com"}'), 400);
      assert.equal(await ask("application/json", "{"), 400);
      assert.equal(await ask("text/plain", "{}"), 415);
      const events = batchOf(eventOf(), eventOf({ audits: [{ policy: "a", rule: "b", action: 1 }] }));
      worker.report({ number: 1, events });
      await until(() => worker.reportAcks.length > 0, "the report to be counted");
      for (const view of ["overview", "series", "top", "tenants", "upstreams", "connections", "mirrors"]) {
        const path = `/v1/telemetry/${view}`;
        assert.equal(await call(path, { path }), 200);
        assert.equal(await call(path, { path: `${path}?window=7d&tenant=frontend` }), 200);
        assert.equal(await call(path, { path: `${path}?window=8d` }), 400);
      }
      for (const view of ["rules", "events"]) {
        assert.equal(await call(`/v1/telemetry/${view}`, { path: `/v1/telemetry/${view}` }), 200);
      }
      const past = "/v1/telemetry/queries";
      assert.equal(await call(past, { path: past }), 404);
      assert.equal(await call(past, { path: `${past}?since=yesterday` }), 400);
      assert.equal(await call(past, { method: "DELETE", path: past }), 400);
      assert.equal(await call(past, { method: "DELETE", path: `${past}?tenant=frontend` }), 404);
      worker.cancel();
      assert.equal(await call("/v1/workers", { path: "/v1/workers" }), 200);
    } finally {
      await harness.stop();
    }
    assert.deepEqual([...seen].sort(), Object.keys(OPERATIONS).sort());
  });
});
