import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { connect } from "node:net";
import type { Endpoint } from "../../../extproc/endpoint.ts";
import { MAX_BODY } from "../../../extproc/server/admin/body.ts";
import { Credentials, digestOf } from "../../../extproc/server/admin/credentials.ts";
import { Harness } from "./harness.ts";
import { DENY_COM, POLICY, TENANT, upstream } from "./policies.ts";
import { openTestStore } from "./test-store.ts";

const YAML = { "content-type": "application/yaml" };
const LOOPBACK: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 };

describe("the admin API", () => {
  let harness: Harness;
  afterEach(() => harness.stop());

  it("listens on sockets that only their owner may use", async () => {
    harness = await Harness.start();
    for (const endpoint of [...harness.service.listen, ...harness.service.admin]) {
      assert.equal(endpoint.kind, "unix");
      if (endpoint.kind === "unix") assert.equal((await stat(endpoint.path)).mode & 0o777, 0o600);
    }
  });

  it("applies, lists, gets and deletes", async () => {
    harness = await Harness.start();
    const { status, text } = await harness.apply(upstream(53, "TCP", "plain"));
    assert.equal(status, 200);
    const body = JSON.parse(text);
    assert.equal(body.sequence, 2);
    assert.deepEqual(
      body.changes.filter(({ change }: { change: string }) => change !== "unchanged"),
      [{ kind: "Upstream", name: "plain", change: "created" }],
    );
    const all = await harness.http({ path: "/v1/resources" });
    assert.match(all.headers["content-type"] as string, /^application\/yaml/);
    assert.equal(all.text.match(/^kind:/gm)?.length, 4);
    const json = await harness.http({ path: "/v1/resources", headers: { accept: "application/json" } });
    assert.equal(JSON.parse(json.text).resources.length, 4);
    const one = await harness.http({ path: "/v1/resources/Upstream/plain" });
    assert.match(one.text, /protocol: TCP/);
    const gone = await harness.http({ method: "DELETE", path: "/v1/resources/Upstream/plain" });
    assert.equal(gone.status, 200);
    assert.equal((await harness.http({ path: "/v1/resources/Upstream/plain" })).status, 404);
    assert.equal((await harness.http({ method: "DELETE", path: "/v1/resources/Upstream/plain" })).status, 404);
  });

  it("says what is wrong with document, line and field, and changes nothing", async () => {
    harness = await Harness.start();
    const { status, text } = await harness.apply(`${TENANT}---\n${DENY_COM.replace("Deny", "Foo")}`);
    assert.equal(status, 400);
    const [problem] = JSON.parse(text).problems;
    assert.equal(problem.source, "request");
    assert.equal(problem.document, 2);
    assert.equal(problem.line, 12);
    assert.equal(problem.path, "spec.rules[0].action");
    assert.match(problem.message, /^expected .* got "Foo"$/);
    assert.equal(harness.service.control.sequence, 1);
    const referenced = await harness.http({ method: "DELETE", path: "/v1/resources/Upstream/public" });
    assert.equal(referenced.status, 400);
  });

  it("takes several files, and names the one with the problem", async () => {
    harness = await Harness.start();
    const part = (name: string, text: string) =>
      `--b\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n\r\n${text}\r\n`;
    const send = (body: string) =>
      harness.http({
        method: "PUT",
        path: "/v1/resources?prune=true",
        headers: { "content-type": 'multipart/form-data; boundary="b"' },
        body,
      });
    const good = `${part("a.yaml", TENANT)}${part("b.yaml", upstream())}--b--\r\n`;
    assert.equal((await send(good)).status, 200);
    assert.equal(JSON.parse((await send(good)).text).changed, false);
    const bad = await send(`${part("a.yaml", TENANT)}${part("dir/b.yaml", "kind: Foo")}--b--\r\n`);
    assert.equal(bad.status, 400);
    assert.equal(JSON.parse(bad.text).problems[0].source, "dir/b.yaml");
    for (const body of ["", "--c\r\n", "--b\r\n", `--b\r\n\r\n${TENANT}`, part("a", TENANT)]) {
      assert.equal((await send(body)).status, 400);
    }
  });

  it("tries without doing", async () => {
    harness = await Harness.start();
    const { status, text } = await harness.apply(upstream(1, "TCP", "plain"), "?dryRun=true");
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).changed, true);
    assert.equal(harness.service.control.sequence, 1);
  });

  it("does not take an empty body for the wish to delete everything", async () => {
    harness = await Harness.start();
    for (const body of ["", "# nothing\n", "---\n", "\n---\n# nothing\n...\n"]) {
      assert.equal((await harness.apply(body, "?prune=true")).status, 400);
    }
    assert.equal(harness.service.control.sequence, 1);
  });

  it("refuses other paths, methods, types and sizes", async () => {
    harness = await Harness.start();
    const status = async (call: Parameters<Harness["http"]>[0]) => (await harness.http(call)).status;
    assert.equal(await status({ path: "/" }), 404);
    assert.equal(await status({ path: "/v1/resources/Tenant" }), 404);
    assert.equal(await status({ path: "/v1/resources/Tenant/%ff" }), 400);
    const post = await harness.http({ method: "POST", path: "/v1/resources" });
    assert.equal(post.status, 405);
    assert.equal(post.headers.allow, "GET, PUT");
    const put = { method: "PUT", path: "/v1/resources" };
    assert.equal(await status({ ...put, body: POLICY }), 415);
    assert.equal(await status({ ...put, headers: { "content-type": "application/json" }, body: "{}" }), 415);
    assert.equal(await status({ ...put, headers: YAML, body: Buffer.from([0x61, 0xff]) }), 400);
    assert.equal(await status({ ...put, path: "/v1/resources?prune=maybe", headers: YAML, body: POLICY }), 400);
    assert.equal(await status({ ...put, headers: { ...YAML, "content-length": String(MAX_BODY + 1) } }), 413);
  });

  it("stops reading a body that turns out to be too large", async () => {
    harness = await Harness.start();
    const [endpoint] = harness.service.admin;
    assert.ok(endpoint?.kind === "unix");
    const reply = await new Promise<string>((resolve) => {
      const socket = connect(endpoint.path);
      const chunk = Buffer.alloc(2 ** 20, "#");
      let text = "";
      socket.on("data", (data: Buffer) => {
        text += data.toString();
        resolve(text);
        socket.destroy();
      });
      socket.on("error", () => {});
      socket.write(
        "PUT /v1/resources HTTP/1.1\r\nhost: x\r\ncontent-type: text/yaml\r\ntransfer-encoding: chunked\r\n\r\n",
      );
      for (let i = 0; i <= 17; i++)
        socket.write(Buffer.concat([Buffer.from("100000\r\n"), chunk, Buffer.from("\r\n")]));
    });
    assert.match(reply, /^HTTP\/1\.1 413 /);
  });

  it("is read-only where somebody else writes the policy, and says when another writer was there", async () => {
    harness = await Harness.start();
    await openTestStore(harness.storeDirectory, upstream(1, "TCP", "other"), harness.clock);
    assert.equal((await harness.apply(upstream(2, "TCP", "mine"))).status, 409);
    await harness.stop();
    harness = await Harness.start({
      sourceOf: (store) => ({
        current: () => store.current(),
        status: () => ({ ...store.status(), mode: "watch", directory: "/policies" }),
        onChange: () => () => {},
        resources: () => store.resources(),
        consider: async () => [],
        lint: async () => [],
        imagine: (change) => store.imagine(change),
        close: async () => {},
      }),
    });
    const put = await harness.apply(TENANT);
    assert.equal(put.status, 409);
    assert.match(JSON.parse(put.text).error, /\/policies/);
    assert.equal((await harness.http({ method: "DELETE", path: "/v1/resources/Tenant/none" })).status, 409);
    assert.equal((await harness.http({ path: "/v1/resources" })).status, 200);
  });

  it("checks Host and Origin on a TCP port", async () => {
    harness = await Harness.start({ moreAdmin: [{ endpoint: LOOPBACK }] });
    const endpoint = harness.service.admin[1];
    assert.ok(endpoint?.kind === "tcp");
    const get = async (headers: Record<string, string>, path = "/v1/status") =>
      (await harness.http({ path, headers, endpoint })).status;
    const host = `127.0.0.1:${endpoint.port}`;
    assert.equal(await get({}), 200);
    assert.equal(await get({ host }), 200);
    assert.equal(await get({ host: `LOCALHOST:${endpoint.port}` }), 200);
    assert.equal(await get({ host: "evil.example" }), 421);
    assert.equal(await get({ host: `evil.example:${endpoint.port}` }), 421);
    assert.equal(await get({ host: "127.0.0.1" }), 421);
    assert.equal(await get({ host, origin: `http://${host}` }), 200);
    assert.equal(await get({ host, origin: "http://evil.example" }), 403);
    assert.equal(await get({ host, origin: "null" }), 403);
    assert.equal(await get({ host: "evil.example" }, "/healthz"), 200);
    assert.equal(await get({ host: "evil.example" }, "/nothing"), 421);
  });

  it("asks for the token where there is one, except of probes", async () => {
    const credentials = new Credentials([{ name: "admin", role: "admin", digest: digestOf("secret") }]);
    harness = await Harness.start({ moreAdmin: [{ endpoint: LOOPBACK, credentials, names: ["policy"] }] });
    const endpoint = harness.service.admin[1];
    assert.ok(endpoint?.kind === "tcp");
    const get = (headers: Record<string, string>, path = "/metrics") => harness.http({ path, headers, endpoint });
    const refused = await get({});
    assert.equal(refused.status, 401);
    assert.match(refused.headers["www-authenticate"] as string, /^Bearer/);
    assert.equal((await get({ authorization: "Bearer other" })).status, 401);
    assert.equal((await get({ authorization: "Basic secret" })).status, 401);
    assert.equal((await get({ authorization: "Bearer secret" })).status, 200);
    const named = { authorization: "Bearer secret", host: `policy:${endpoint.port}` };
    assert.equal((await get(named)).status, 200);
    assert.equal((await get({}, "/readyz")).status, 200);
  });
});
