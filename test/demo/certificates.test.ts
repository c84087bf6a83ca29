import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, writeCertificates } from "../../demo/certificates.ts";

describe("Certificates", () => {
  let authority: Authority;

  before(async () => {
    authority = await Authority.create("test");
  });

  it("of a server name it, and verify", async () => {
    const { certificate } = await authority.server({
      names: ["a.example", "localhost"],
      addresses: ["127.0.0.1", "::1"],
    });
    const server = new X509Certificate(certificate);
    assert.ok(server.verify(new X509Certificate(authority.certificate).publicKey));
    assert.equal(server.checkHost("a.example"), "a.example");
    assert.equal(server.checkIP("127.0.0.1"), "127.0.0.1");
    assert.equal(server.ca, false);
  });

  it("of a client have the URI SANs asked for, and no others", async () => {
    const uris = ["spiffe://cluster.local/ns/a/sa/b", "spiffe://other.example/c"];
    const { certificate } = await authority.client(uris);
    assert.equal(new X509Certificate(certificate).subjectAltName, uris.map((uri) => `URI:${uri}`).join(", "));
    assert.equal(new X509Certificate((await authority.client([])).certificate).subjectAltName, undefined);
  });

  it("can have expired", async () => {
    const { certificate } = await authority.client(["spiffe://a/b"], { days: 1, now: new Date("2020-01-01") });
    assert.ok(new Date(new X509Certificate(certificate).validTo) < new Date("2020-01-03"));
  });

  it("are written once, keys for the owner only", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dnspolicy-test-"));
    try {
      const write = () => writeCertificates(folder, { names: ["localhost"], addresses: [] }, "spiffe://a/b");
      const files = await write();
      const first = readFileSync(files.server, "utf8");
      await write();
      assert.equal(readFileSync(files.server, "utf8"), first);
      for (const key of [files.serverKey, files.clientKey]) assert.equal(statSync(key).mode & 0o777, 0o600);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
