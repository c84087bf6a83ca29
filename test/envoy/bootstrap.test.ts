import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { writeCertificates } from "../../demo/certificates.ts";
import { bootstrap, bootstrapYaml } from "../../envoy/bootstrap.ts";
import type { Config } from "../../envoy/config.ts";
import { findEnvoy } from "../../envoy/fetch.mjs";
import { generated } from "../../envoy/generate.ts";
import type { BootstrapOptions } from "../../envoy/options.ts";
import { demo, profiles } from "../../envoy/profiles.ts";
import { emptyFilter } from "./empty-filter.ts";

describe("Envoy's bootstrap", () => {
  let folder: string;
  let files: Awaited<ReturnType<typeof writeCertificates>>;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "dnspolicy-test-"));
    files = await writeCertificates(
      folder,
      { names: ["localhost"], addresses: [] },
      "spiffe://cluster.local/ns/a/sa/b",
    );
    writeFileSync(join(folder, "filter.wasm"), emptyFilter);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The same with files that are here. */
  function local(options: BootstrapOptions): BootstrapOptions {
    const tls = { certificate: files.server, key: files.serverKey, clientCa: files.ca };
    const { policyService } = options;
    const client = { ca: files.ca, serverName: "policy.example", certificate: files.client, key: files.clientKey };
    return {
      ...options,
      wasm: join(folder, "filter.wasm"),
      ...(options.tls ? { tls } : {}),
      policyService: policyService.tls ? { ...policyService, tls: client } : policyService,
    };
  }

  function validate(options: BootstrapOptions): void {
    const file = join(folder, "envoy.yaml");
    writeFileSync(file, bootstrapYaml(options));
    const { status, stderr } = spawnSync(findEnvoy(), ["--mode", "validate", "-c", file], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /\bdeprecated\b/i);
  }

  for (const [file, options] of Object.entries(profiles)) {
    it(`in ${file} is valid`, () => validate(local(options)));
  }

  it("is valid with everything that is optional", () => {
    validate(
      local({
        ...demo,
        addresses: ["0.0.0.0", "::"],
        policyService: {
          address: "policy.example",
          port: 9054,
          tls: { ca: files.ca, serverName: "policy.example", certificate: files.client, key: files.clientKey },
        },
        token: "a secret",
        tenant: "frontend",
        admin: { path: join(folder, "admin.sock") },
        proxied: { port: 1054, balancers: ["10.0.0.0/8", "2001:db8::1"] },
        egress: { port: 15_001, serverFirst: true },
        virtual: { port: 15_002, resolver: { port: 15_054, tenant: "envoy-resolver" }, check: true },
      }),
    );
  });

  it("takes several trust domains", () => {
    const trustDomains = ["cluster.local", "other.example"].map((name) => ({ name, ca: files.ca }));
    const tls = { certificate: files.server, key: files.serverKey, trustDomains };
    const options = { ...local(demo), tls };
    validate(options);
    assert.match(bootstrapYaml(options), /envoy\.tls\.cert_validator\.spiffe/);
  });

  it("has no token that Envoy would send in two ways", () => {
    assert.throws(() => bootstrap({ ...demo, token: "100% secret" }), /expected a token without a percent sign/);
  });

  it("that is kept is what the generator writes", () => {
    for (const [file, text] of generated()) {
      const kept = readFileSync(new URL(`../../envoy/${file}`, import.meta.url), "utf8");
      assert.equal(kept, text, `envoy/${file} is old: npm run build:envoy`);
    }
  });

  it("reads back from its YAML as it was", () => {
    for (const options of Object.values(profiles)) {
      assert.deepEqual(parse(bootstrapYaml(options)), JSON.parse(JSON.stringify(bootstrap(options))));
    }
  });

  it("gives every wasm plugin the same VM and the same failure policy", () => {
    const plugins = find(bootstrap(demo), "config").filter((config) => "vm_config" in config);
    assert.equal(plugins.length, 7);
    for (const plugin of plugins) {
      assert.deepEqual(plugin.vm_config, plugins[0]?.vm_config);
      assert.equal(plugin.failure_policy, "FAIL_RELOAD");
      assert.deepEqual(plugin.reload_config, { backoff: { base_interval: "0.01s", max_interval: "0.05s" } });
    }
    assert.equal(new Set(plugins.map(({ root_id }) => root_id)).size, plugins.length);
  });

  it("gives a decision the time that the filter gives it", () => {
    const timeouts = (settings: Record<string, number>) =>
      find(bootstrap({ ...demo, settings: { ...demo.settings, ...settings } }), "typed_config")
        .filter((config) => "message_timeout" in config)
        .map(({ message_timeout, grpc_service }) => [message_timeout, (grpc_service as Config).timeout]);
    assert.deepEqual(timeouts({}), [["0.2s", "1s"]]);
    assert.deepEqual(timeouts({ decision_milliseconds: 1500 }), [["1.5s", "1.5s"]]);
  });

  it("limits every listener of connections", () => {
    const { static_resources } = bootstrap({ ...demo, proxied: { port: 1054, balancers: ["10.0.0.1"] } });
    const listeners = (static_resources as { listeners: Config[] }).listeners;
    const streams = listeners.filter(({ name }) => ["tcp", "dot", "doh", "tcp_proxied"].includes(String(name)));
    assert.equal(streams.length, 4);
    for (const listener of streams) {
      assert.equal(listener.per_connection_buffer_limit_bytes, listener.name === "doh" ? 131_072 : 8192);
      const sizes = (listener.socket_options as { name: number; int_value: number }[]).map((option) => [
        option.name,
        option.int_value,
      ]);
      // SO_SNDBUF and SO_RCVBUF of Linux.
      assert.deepEqual(sizes, [
        [7, 32_768],
        [8, 8192],
      ]);
      assert.equal(listener.per_connection_buffer_high_watermark_timeout, "2s");
      assert.equal(listener.listener_filters_timeout, "2s");
      assert.match(JSON.stringify(listener), /"max_connections":10000/);
    }
  });

  it("keeps a secret token out of what the admin interface shows", () => {
    const { admin } = bootstrap(demo) as { admin: { allow_paths: { prefix: string }[] } };
    const paths = admin.allow_paths.map(({ prefix }) => prefix);
    for (const path of ["/config_dump", "/quitquitquit", "/runtime_modify", "/logging"]) {
      assert.ok(!paths.some((prefix) => path.startsWith(prefix)), path);
    }
  });

  it("refuses a value that would add a line to the plugin's configuration", () => {
    assert.throws(() => bootstrap({ ...demo, token: "a\nnode=b" }), /token: expected one line/);
  });

  it("asks for a certificate where DoT or DoH is wanted", () => {
    const { tls: _, ...options } = demo;
    assert.throws(() => bootstrap(options), /tls: expected a certificate/);
  });
});

/** Every map under a field of this name, wherever it stands. */
function find(value: unknown, field: string): Config[] {
  if (Array.isArray(value)) return value.flatMap((item) => find(item, field));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [
    ...(name === field ? [item as Config] : []),
    ...find(item, field),
  ]);
}
