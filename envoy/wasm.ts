/**
 * The wasm plugins: one function for all of them, because they share a VM only while vm_id, code and VM
 * configuration are equal, and because the failure policy belongs to each plugin, not to the VM.
 */
import { type Config, explain, extension, typed } from "./config.ts";
import type { BootstrapOptions } from "./options.ts";

export interface Plugin {
  role: "tunnel" | "stream" | "http2" | "doh" | "pipe";
  listener: string;
  transport?: "udp" | "tcp" | "dot" | "doh" | "doh3";
}

export type PluginOptions = Pick<
  BootstrapOptions,
  "node" | "concurrency" | "token" | "tenant" | "settings" | "limits" | "wasm"
>;

export function wasmNetworkFilter(options: PluginOptions, plugin: Plugin): Config {
  return extension("envoy.filters.network.wasm", "envoy.extensions.filters.network.wasm.v3.Wasm", {
    config: pluginConfig(options, plugin),
  });
}

export function wasmHttpFilter(options: PluginOptions, plugin: Plugin): Config {
  const config = explain(
    { ...pluginConfig(options, plugin), allow_on_headers_stop_iteration: true },
    { allow_on_headers_stop_iteration: "A filter that pauses at the headers is given the body only with this." },
  );
  return extension("envoy.filters.http.wasm", "envoy.extensions.filters.http.wasm.v3.Wasm", { config });
}

/** Writes to the client what the wasm filter left in the connection's read buffer. */
export function echo(): Config {
  return extension("envoy.filters.network.echo", "envoy.extensions.filters.network.echo.v3.Echo");
}

function pluginConfig(options: PluginOptions, plugin: Plugin): Config {
  // Two plugins of one listener are two roots in the VM.
  const name = plugin.role === "http2" ? `dns_${plugin.listener}_http2` : `dns_${plugin.listener}`;
  return {
    name,
    root_id: name,
    failure_policy: "FAIL_RELOAD",
    // The default backoff of 1 s would refuse every client of the worker for that long.
    reload_config: { backoff: { base_interval: "0.01s", max_interval: "0.05s" } },
    configuration: text({ ...plugin, tenant: options.tenant }),
    vm_config: {
      vm_id: "dns",
      runtime: "envoy.wasm.runtime.v8",
      code: { local: { filename: options.wasm } },
      configuration: text({
        node: options.node,
        concurrency: options.concurrency,
        token: options.token,
        udp_sessions: options.limits.udpSessions,
        ...options.settings,
      }),
    },
  };
}

/** Lines `key=value`; what is undefined is left out. */
function text(entries: Record<string, string | number | undefined>): Config {
  const lines: string[] = [];
  for (const [key, value] of Object.entries(entries)) {
    if (value === undefined) continue;
    if (/[\n\r]/.test(`${value}`)) throw new Error(`${key}: expected one line of text, got ${JSON.stringify(value)}`);
    lines.push(`${key}=${value}`);
  }
  return typed("google.protobuf.StringValue", { value: lines.join("\n") });
}
