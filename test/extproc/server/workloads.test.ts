import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalRegistrations } from "../../../extproc/mesh/sources/local-registrations.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { registrationRequest } from "../../../extproc/mesh/sources/registration.ts";
import { Registrations } from "../../../extproc/mesh/sources/registrations.ts";
import { Credentials, digestOf } from "../../../extproc/server/admin/credentials.ts";
import { objectsOf } from "../mesh/objects.ts";
import { Harness } from "./harness.ts";
import { POLICY } from "./policies.ts";

const entry = (name: string, selector: string) =>
  `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${name}, namespace: shop }
spec: { hosts: [${name}.example], resolution: STATIC${selector} }\n`;
const ENTRIES = `${entry("pay", ", workloadSelector: { labels: { app: pay } }")}---\n${entry("fixed", "")}`;

describe("machines that register", () => {
  let harness: Harness | undefined;
  afterEach(async () => {
    await harness?.stop();
    harness = undefined;
  });

  const json = { "content-type": "application/json" };
  const put = (path: string, body: object, headers = {}) =>
    (harness ?? assert.fail()).http({
      method: "PUT",
      path,
      headers: { ...json, ...headers },
      body: JSON.stringify(body),
    });

  it("are WorkloadEntries that their ServiceEntry chooses, until they say that they are none", async () => {
    harness = await Harness.start();
    await harness.apply(ENTRIES);
    const path = "/v1/workloads/shop/vm-1";
    const registered = await put(path, { service: "pay", address: "10.1.0.1", labels: { version: "v1" }, ttl: "1h" });
    assert.equal(registered.status, 200, registered.text);
    assert.match(JSON.parse(registered.text).until, /^20.*Z$/);
    const { text } = await harness.http({ path: "/v1/resources/WorkloadEntry/shop%2Fvm-1" });
    assert.match(text, /address: 10\.1\.0\.1\n +ports: \{\}\n +labels:\n +version: v1\n +app: pay\n/);
    assert.equal((await harness.http({ method: "DELETE", path })).status, 200);
    assert.equal((await harness.http({ method: "DELETE", path })).status, 404);
    assert.equal((await harness.http({ path: "/v1/resources/WorkloadEntry/shop%2Fvm-1" })).status, 404);
  });

  it("are told what is wrong", async () => {
    harness = await Harness.start();
    await harness.apply(ENTRIES);
    const told = async (path: string, body: object) => {
      const { status, text } = await put(path, body);
      const { error, problems = [] } = JSON.parse(text);
      return [status, problems[0]?.message ?? error];
    };
    const good = { service: "pay", address: "10.1.0.1" };
    const path = "/v1/workloads/shop/vm-1";
    assert.deepEqual(await told(path, { ...good, service: "none" }), [
      404,
      "expected a ServiceEntry shop/none, got none",
    ]);
    assert.deepEqual(await told(path, { ...good, service: "fixed" }), [
      409,
      "expected a ServiceEntry with labels in its workloadSelector, got shop/fixed without",
    ]);
    assert.deepEqual(await told(path, { ...good, address: "vm.example" }), [
      400,
      'expected an IPv4 or IPv6 address, got "vm.example"',
    ]);
    assert.deepEqual(await told(path, { ...good, ttl: "1s" }), [400, 'expected 3s to 1h, got "1s"']);
    assert.deepEqual((await told(path, { ...good, more: 1 }))[0], 400);
    assert.deepEqual(await told("/v1/workloads/Shop/vm-1", good), [400, "expected a namespace, got Shop"]);
  });

  it("are an editor's in its tenant's own namespaces alone, and nobody else's", async () => {
    const adminCredentials = new Credentials([
      { name: "vm", role: "editor", tenant: "frontend", digest: digestOf("vm") },
      { name: "look", role: "viewer", digest: digestOf("look") },
      { name: "root", role: "admin", digest: digestOf("root") },
    ]);
    harness = await Harness.start({ adminCredentials });
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const policy = POLICY.replace("upstream: public}", "upstream: public, namespaces: [shop]}");
    const headers = { "content-type": "application/yaml", ...as("root") };
    const applied = await harness.http({
      method: "PUT",
      path: "/v1/resources",
      headers,
      body: `${policy}---\n${ENTRIES}---\n${ENTRIES.replaceAll("shop", "other")}`,
    });
    assert.equal(applied.status, 200, applied.text);
    const body = { service: "pay", address: "10.1.0.1" };
    const status = async (namespace: string, token: string) =>
      (await put(`/v1/workloads/${namespace}/vm-1`, body, as(token))).status;
    assert.deepEqual(
      [
        await status("shop", "vm"),
        await status("other", "vm"),
        await status("other", "root"),
        await status("shop", "look"),
      ],
      [200, 403, 200, 403],
    );
  });

  it("are gone without a beat, and have their time again after a restart", async () => {
    const directory = await mkdtemp(join(tmpdir(), "registrations-"));
    try {
      let now = 0;
      const path = join(directory, "registrations.jsonl");
      const all = new ObjectStore();
      all.apply({ set: objectsOf(ENTRIES) });
      const open = async () => new Registrations(await LocalRegistrations.open(path, () => now), () => now);
      let registrations = await open();
      const beat = (name: string) => {
        const registration = registrationRequest.parse({ service: "pay", address: "10.1.0.1", ttl: "30s" });
        return registrations.register({ namespace: "shop", name }, registration, all);
      };
      const names = () => [...registrations.objects.list("WorkloadEntry")].map(({ name }) => name);
      assert.deepEqual(await beat("a"), { kind: "registered", changed: true, until: 30_000 });
      await beat("b");
      now = 20_000;
      assert.deepEqual(await beat("a"), { kind: "registered", changed: false, until: 50_000 });
      now = 30_000;
      await registrations.expire();
      assert.deepEqual(names(), ["a"]);
      await registrations.close();
      now = 100_000;
      registrations = await open();
      await registrations.expire();
      assert.deepEqual(names(), ["a"]);
      now = 130_000;
      await registrations.expire();
      assert.deepEqual(names(), []);
      await registrations.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
