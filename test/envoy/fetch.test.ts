import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findEnvoy } from "../../envoy/fetch.mjs";

describe("Finding an Envoy", () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "dnspolicy-test-"));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  function fake(name: string, version: string): string {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\necho "envoy  version: 0123abcd/${version}/Clean/RELEASE/BoringSSL"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  it("takes $ENVOY", () => {
    const file = fake("mine", "1.41.2");
    assert.equal(findEnvoy({ ENVOY: file, PATH: process.env.PATH }), file);
  });

  it("takes a development version", () => {
    const file = fake("mine", "1.42.0-dev");
    assert.equal(findEnvoy({ ENVOY: file, PATH: process.env.PATH }), file);
  });

  it("refuses an $ENVOY that is too old, or none", () => {
    const file = fake("old", "1.39.9");
    assert.throws(() => findEnvoy({ ENVOY: file }), /expected Envoy 1\.40 or later, got 1\.39\.9/);
    assert.throws(() => findEnvoy({ ENVOY: join(folder, "missing") }), /expected an Envoy binary/);
  });

  it("takes one from the PATH if it is new enough", () => {
    const file = fake("envoy", "1.40.1");
    assert.equal(findEnvoy({ PATH: [folder, process.env.PATH].join(delimiter) }), file);
    fake("envoy", "1.30.0");
    assert.notEqual(findEnvoy({ PATH: [folder, process.env.PATH].join(delimiter) }), file);
  });
});
