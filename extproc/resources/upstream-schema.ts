/** An upstream: servers of one protocol, and how to choose among them. */

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { z } from "zod";
import { admission } from "./admission.ts";
import { filePath, httpPath, interval, name, parsed, pin, serverAddress, serverName } from "./field.ts";
import { fail, list, resource } from "./schema-parts.ts";

const DEFAULT_PORTS = { DoT: 853, TCP: 53, DoH: 443, DoH3: 443 } as const;

const certificates = parsed<{ readonly pem: string }>((text) => {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return "PEM of one or more certificates";
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch {
      return `PEM of certificates, of which number ${index + 1} is none`;
    }
  }
  return { pem: `${blocks.join("\n")}\n` };
}).transform(({ pem }) => pem);

const upstreamFields = z
  .strictObject({
    protocol: z.enum(["DoT", "TCP", "DoH", "DoH3"]),
    servers: list(
      z.strictObject({
        address: serverAddress,
        port: z.int().min(1).max(65_535).optional(),
        serverName: serverName.optional(),
        path: httpPath.optional(),
        priority: z.int().min(0).max(100).default(0),
      }),
    ),
    strategy: z.enum(["Ordered", "RoundRobin", "Fastest", "Race"]).default("Ordered"),
    healthCheck: z.strictObject({ interval, name: name.optional() }).optional(),
    tls: z
      .strictObject({
        ca: certificates.optional(),
        pins: list(pin).optional(),
        clientCertificate: z.strictObject({ certificateFile: filePath, keyFile: filePath }).optional(),
        minimumVersion: z.enum(["1.2", "1.3"]).default("1.2"),
      })
      .optional(),
    ecs: z.boolean().default(false),
    padding: z.boolean().optional(),
    /** It is told of the traces that queries are part of, in an EDNS option (65500). */
    traceContext: z.boolean().default(false),
  })
  .superRefine((spec, context) => {
    const http = spec.protocol === "DoH" || spec.protocol === "DoH3";
    const tls = spec.protocol !== "TCP";
    if (!tls && spec.tls) fail(context, ["tls"], "expected no tls with protocol TCP, got a map");
    if (!tls && spec.padding) fail(context, ["padding"], "expected no padding with protocol TCP, which hides nothing");
    for (const [index, server] of spec.servers.entries()) {
      if (tls && server.serverName === undefined) {
        fail(context, ["servers", index, "serverName"], "expected the name in the server's certificate, got nothing");
      }
      if (tls && server.serverName !== undefined && isIP(server.serverName) !== 0) {
        fail(context, ["servers", index, "serverName"], `expected a DNS name, got the address ${server.serverName}`);
      }
      if (!tls && server.serverName !== undefined) {
        fail(context, ["servers", index, "serverName"], "expected no serverName with protocol TCP, got one");
      }
      if (!http && server.path !== undefined) {
        fail(context, ["servers", index, "path"], `expected no path with protocol ${spec.protocol}, got one`);
      }
    }
  });

const upstreamSpec = admission(
  upstreamFields,
  { rule: 'self.protocol != "TCP" || !has(self.tls)', message: "expected no tls with protocol TCP" },
  {
    rule: 'self.protocol != "TCP" || !has(self.padding) || !self.padding',
    message: "expected no padding with protocol TCP, which hides nothing",
  },
  {
    rule: 'self.servers.all(server, has(server.serverName) == (self.protocol != "TCP"))',
    message: "expected serverName of each server, the name in its certificate, and none with protocol TCP",
  },
  {
    rule: 'self.protocol.startsWith("DoH") || !self.servers.exists(server, has(server.path))',
    message: "expected no path of a server but with protocol DoH or DoH3",
  },
).transform((spec) => {
  const http = spec.protocol === "DoH" || spec.protocol === "DoH3";
  const servers = spec.servers.map((server) => ({
    address: server.address,
    port: server.port ?? DEFAULT_PORTS[spec.protocol],
    serverName: server.serverName ?? "",
    path: http ? (server.path ?? "/dns-query") : "",
    priority: server.priority,
  }));
  const { protocol, strategy, healthCheck, ecs, traceContext, padding = protocol !== "TCP" } = spec;
  const { ca = "", pins = [], clientCertificate, minimumVersion = "1.2" } = spec.tls ?? {};
  return {
    protocol,
    servers,
    strategy,
    healthCheck,
    ecs,
    traceContext,
    padding,
    ca,
    pins,
    clientCertificate,
    minimumVersion,
  };
});

export const upstreamSchema = resource("Upstream", upstreamSpec);

export type Upstream = z.output<typeof upstreamSchema>;
