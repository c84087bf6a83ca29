import assert from "node:assert/strict";
import type { Role } from "../../../extproc/server/admin/caller.ts";
import { Credentials, digestOf } from "../../../extproc/server/admin/credentials.ts";
import { routes } from "../../../extproc/server/admin/routes.ts";
import { Harness, type HttpCall } from "./harness.ts";
import { DENY_COM, TENANT, upstream } from "./policies.ts";

const BACKEND = TENANT.replace("frontend", "backend").replace("127.0.1.0", "127.0.2.0");
const BACKEND_POLICY = DENY_COM.replace("no-com", "backend-no-com").replace("[frontend]", "[backend]");

describe("roles of the admin API", () => {
  let harness: Harness;
  let lines: Record<string, unknown>[];
  const credentials = new Credentials([]);
  const people = (["viewer", "editor", "admin"] as const).map((role: Role) => ({
    name: `the-${role}`,
    role,
    digest: digestOf(`${role}-secret`),
    tenant: role === "editor" ? "frontend" : undefined,
  }));
  beforeEach(async () => {
    lines = [];
    credentials.replace(people);
    const audit = { write: async (line: string) => void lines.push(JSON.parse(line)) };
    const endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    harness = await Harness.start({ moreAdmin: [{ endpoint, credentials }], audit });
    await harness.apply(`${BACKEND}---\n${BACKEND_POLICY}`);
    lines = [];
  });
  afterEach(() => harness.stop());

  function call(token: string, more: HttpCall) {
    const endpoint = harness.service.admin[1];
    assert.ok(endpoint);
    const authorization = token === "" ? {} : { authorization: `Bearer ${token}` };
    return harness.http({ ...more, endpoint, headers: { ...more.headers, ...authorization } });
  }

  const put = (token: string, body: string, query = "") => {
    const headers = { "content-type": "application/yaml" };
    return call(token, { method: "PUT", path: `/v1/resources${query}`, headers, body });
  };

  it("are asked for by every operation, and no other is enough", async () => {
    const order = ["viewer", "editor", "admin"];
    for (const { path, methods } of routes) {
      for (const [method, { role }] of Object.entries(methods)) {
        for (const [index, token] of ["", "viewer-secret", "editor-secret", "admin-secret"].entries()) {
          const { status } = await call(token, {
            method,
            path: path.replace("{kind}", "DnsPolicy").replace(/\{\w+\}/, "0"),
          });
          const allowed = role === undefined || index > order.indexOf(role);
          const refused = index === 0 ? 401 : 403;
          assert.equal(status === 401 || status === 403, !allowed, `${method} ${path} as ${token}: ${status}`);
          if (!allowed) assert.equal(status, refused);
        }
      }
    }
  });

  it("let an editor change its tenant's policies, and nothing else", async () => {
    const editor = "editor-secret";
    const own = DENY_COM.replace("30s", "31s");
    assert.equal((await put(editor, own)).status, 200);
    const added = own.replace("no-com", "more").replace("100", "101");
    assert.equal((await put(editor, added)).status, 200);
    assert.equal((await call(editor, { method: "DELETE", path: "/v1/resources/DnsPolicy/more" })).status, 200);
    const forbidden = [
      [TENANT, "", "kind"],
      [upstream(1, "TCP", "x"), "", "kind"],
      [BACKEND_POLICY, "", "spec.subject.tenants"],
      [BACKEND_POLICY.replace("backend-no-com", "mine"), "", "spec.subject.tenants"],
      [BACKEND_POLICY.replace("[backend]", "[frontend]"), "", "spec.subject.tenants"],
      [own, "?prune=true", "spec.subject.tenants"],
      [own.replace("[frontend]", "[backend]"), "?dryRun=true", "spec.subject.tenants"],
    ] as const;
    const { sequence } = harness.service.control;
    for (const [text, query, path] of forbidden) {
      const { status, text: body } = await put(editor, text, query);
      assert.equal(status, 403, body);
      const { error, problems } = JSON.parse(body);
      assert.equal(error, "this is not yours to change: nothing was changed");
      assert.equal(problems[0].path, path);
      assert.match(problems[0].message, /^expected a DnsPolicy of tenant frontend alone, got \w+\//);
    }
    for (const [path, status] of [
      ["DnsPolicy/backend-no-com", 403],
      ["Tenant/none", 403],
      ["Tenant/frontend", 403],
      ["DnsPolicy/none", 404],
    ] as const) {
      assert.equal((await call(editor, { method: "DELETE", path: `/v1/resources/${path}` })).status, status, path);
    }
    // Two tenants are one too many, for an editor and for a DnsPolicy.
    const both = await put(editor, own.replace("[frontend]", "[frontend, backend]"));
    assert.ok([400, 403].includes(both.status), both.text);
    assert.equal((await put(editor, own.replace("Deny", "Dny"))).status, 400);
    assert.equal(harness.service.control.sequence, sequence);
  });

  it("hold from the next request on when they are changed", async () => {
    const status = () => call("admin-secret", { path: "/v1/status" });
    assert.equal((await status()).status, 200);
    credentials.replace([]);
    const refused = await status();
    assert.equal(refused.status, 401);
    assert.equal(JSON.parse(refused.text).error, "expected `Authorization: Bearer TOKEN`, got an unknown token");
  });

  it("are the author of a version, whatever is claimed", async () => {
    await put("admin-secret", upstream(1, "TCP", "x"), "?author=somebody");
    const author = () => harness.store.versions()[0]?.author;
    assert.deepEqual(author(), { name: "the-admin", by: "token" });
  });

  it("are written down with every change, and with every refusal", async () => {
    await put("admin-secret", upstream(1, "TCP", "x"), "?reason=more");
    await put("admin-secret", upstream(1, "TCP", "x"));
    await put("editor-secret", TENANT);
    await put("viewer-secret", TENANT);
    await put("wrong", TENANT);
    await put("admin-secret", "kind: x");
    await put("admin-secret", upstream(2, "TCP", "x"), "?dryRun=true");
    await harness.http({ method: "POST", path: "/v1/rollback?version=2&author=bob&reason=back" });
    await call("viewer-secret", { path: "/v1/status" });
    await call("viewer-secret", { method: "POST", path: "/v1/explain" });
    await call("admin-secret", { method: "POST", path: "/v1/drain?node=none" });
    const keys = ["who", "by", "role", "result", "status", "before", "after", "changes"];
    assert.deepEqual(
      lines.map((line) => keys.map((key) => line[key])),
      [
        ["the-admin", "token", "admin", "done", 200, 2, 3, ["Upstream/x created"]],
        ["the-admin", "token", "admin", "unchanged", 200, 3, 3, []],
        ["the-editor", "token", "editor", "refused", 403, 3, 3, undefined],
        ["the-viewer", "token", "viewer", "refused", 403, undefined, undefined, undefined],
        ["", "nothing", "", "refused", 401, undefined, undefined, undefined],
        ["the-admin", "token", "admin", "refused", 400, 3, 3, undefined],
        ["the-admin", "token", "admin", "done", 200, 3, 3, ["Upstream/x updated"]],
        ["bob", "claim", "admin", "done", 200, 3, 4, ["Upstream/x deleted"]],
        ["the-admin", "token", "admin", "done", 200, undefined, undefined, undefined],
      ],
    );
    const { time, from, reason, method, path, tenant, dryRun } = lines[0] ?? {};
    assert.deepEqual([reason, method, path, dryRun], ["more", "PUT", "/v1/resources", false]);
    assert.match(String(from), /^127\.0\.0\.1 port \d+$/);
    assert.equal(time, "2023-11-14T22:13:20.000Z");
    assert.equal(tenant, undefined);
    assert.equal(lines[2]?.tenant, "frontend");
    assert.equal(lines[6]?.dryRun, true);
    assert.match(String(lines[7]?.from), /^unix:.*admin\.sock$/);
    assert.match(String(lines[2]?.error), /not yours to change/);
  });

  it("may be shown on the Unix socket, too", async () => {
    await harness.stop();
    credentials.replace(people);
    harness = await Harness.start({ adminCredentials: credentials });
    const status = async (headers: Record<string, string>) =>
      (await harness.http({ method: "POST", path: "/v1/drain", headers })).status;
    assert.equal(await status({}), 200);
    assert.equal(await status({ authorization: "Bearer admin-secret" }), 200);
    assert.equal(await status({ authorization: "Bearer viewer-secret" }), 403);
    assert.equal(await status({ authorization: "Bearer none" }), 401);
  });
});
