import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Endpoint } from "../../../extproc/endpoint.ts";
import { Credentials, digestOf } from "../../../extproc/server/admin/credentials.ts";
import { readPage } from "../../../extproc/server/admin/page.ts";
import { Harness, type HttpCall } from "./harness.ts";

const TCP: Endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 };
const SCRIPT = `console.log(${"1".repeat(2000)});\n`;

describe("the page's files", () => {
  let folder: string;
  let harness: Harness;
  let host: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "dnspolicy-page-"));
    await mkdir(join(folder, "built", "assets"), { recursive: true });
    await mkdir(join(folder, "source"));
    await writeFile(join(folder, "source", "index.html"), "not this one\n");
    await writeFile(join(folder, "built", "index.html"), "<!doctype html>\n");
    await writeFile(join(folder, "built", "notes.txt"), "nobody's\n");
    await writeFile(join(folder, "built", "assets", "index-1234.js"), SCRIPT);
    const places = ["none/", "source/", "built/"].map((name) => new URL(name, pathToFileURL(`${folder}/`)));
    const page = await readPage(places);
    assert.ok(page);
    const credentials = new Credentials([{ name: "a", role: "viewer", digest: digestOf("secret") }]);
    harness = await Harness.start({ moreAdmin: [{ endpoint: TCP, credentials }], page });
    const endpoint = harness.service.admin[1];
    assert.ok(endpoint?.kind === "tcp");
    host = `127.0.0.1:${endpoint.port}`;
  });
  after(async () => {
    await harness.stop();
    await rm(folder, { recursive: true });
  });

  function call(more: HttpCall) {
    const endpoint = harness.service.admin[1];
    assert.ok(endpoint);
    return harness.http({ endpoint, ...more, headers: { host, ...more.headers } });
  }

  it("come without a token, under a policy that lets nothing else in", async () => {
    const { status, headers, text } = await call({ path: "/" });
    assert.equal(status, 200);
    assert.equal(text, "<!doctype html>\n");
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    assert.equal(headers["cache-control"], "no-cache");
    const policy = String(headers["content-security-policy"]);
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.split("; ").includes(part), policy);
    }
    assert.doesNotMatch(policy, /unsafe|\*|https?:|data:/);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal((await call({ path: "/v1/status" })).status, 401);
  });

  it("are kept for good where their names say what is in them", async () => {
    const { status, headers, text } = await call({ path: "/assets/index-1234.js" });
    assert.deepEqual([status, text], [200, SCRIPT]);
    assert.match(String(headers["cache-control"]), /immutable/);
    const again = await call({ path: "/assets/index-1234.js", headers: { "if-none-match": String(headers.etag) } });
    assert.deepEqual([again.status, again.text], [304, ""]);
    const { port } = harness.service.admin[1] as Extract<Endpoint, { kind: "tcp" }>;
    const packed = await fetch(`http://127.0.0.1:${port}/assets/index-1234.js`, {
      headers: { "accept-encoding": "gzip" },
    });
    assert.equal(packed.headers.get("content-encoding"), "gzip");
    assert.equal(await packed.text(), SCRIPT);
  });

  it("are those that were built, and no others", async () => {
    for (const path of ["/notes.txt", "/assets/", "/assets/../../source/index.html", "/assets/%2e%2e/notes.txt"]) {
      assert.ok([401, 404].includes((await call({ path, headers: { authorization: "Bearer secret" } })).status), path);
    }
    assert.equal(await readPage([new URL("source/", pathToFileURL(`${folder}/`))]), undefined);
  });

  it("are read, and nothing else is done with them", async () => {
    const { status, headers } = await call({ method: "POST", path: "/" });
    assert.equal(status, 405);
    assert.equal(headers.allow, "GET, HEAD");
    const head = await call({ method: "HEAD", path: "/" });
    assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "16"]);
  });

  it("are for no other Host and no other Origin", async () => {
    assert.equal((await call({ path: "/", headers: { host: "evil.example" } })).status, 421);
    assert.equal((await call({ path: "/", headers: { origin: "http://evil.example" } })).status, 403);
  });

  it("are not on a Unix socket, where no browser comes", async () => {
    assert.equal((await harness.http({ path: "/" })).status, 404);
  });
});
