/** Names of the mesh that come from elsewhere: which, and whose they are. */

import { z } from "zod";
import { checked, filePath, name, namespaceName, resourceName, ttl } from "./field.ts";
import { fail, list, resource } from "./schema-parts.ts";
import { transfer } from "./transfer-schema.ts";

const exportTarget = checked((text) =>
  /^([*.~]|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/.test(text) ? undefined : "a namespace, or one of * . ~",
);

const MAX_DATACENTERS = 16;
/** As Consul's own DNS interface answers by default it is 0, and every lookup a question: workers are told of changes. */
const CONSUL_TTL = 5;

const consul = z.strictObject({
  /** Of an agent's HTTP API. */
  address: checked((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isRoot = url !== undefined && url.pathname === "/" && url.search === "" && url.username === "";
    return isRoot && /^https?:$/.test(url.protocol) ? undefined : "http://HOST:PORT or https://HOST:PORT";
  }),
  /** Of which the content is an ACL token that may read services and nodes. */
  tokenFile: filePath.optional(),
  /** Trusted authorities (PEM) instead of the public ones. */
  ca: z.string().optional(),
  /** Beside the agent's own. */
  datacenters: list(resourceName).max(MAX_DATACENTERS).default([]),
  domain: name.transform(({ text }) => text).prefault("consul"),
  ttl: ttl.default(CONSUL_TTL),
});

const sourceSpec = z
  .strictObject({
    /** Whose names they are, as if they were a ServiceEntry's there. */
    namespace: namespaceName,
    /** Namespaces whose tenants may know them, as Istio has it; by default all. */
    exportTo: list(exportTarget).optional(),
    /** A zone that is fetched (AXFR, IXFR). */
    transfer: transfer.optional(),
    /** Services and nodes of Consul. */
    consul: consul.optional(),
  })
  .superRefine((spec, context) => {
    const places = [spec.transfer, spec.consul].filter((place) => place !== undefined).length;
    if (places !== 1) fail(context, [], `expected transfer or consul, got ${places === 0 ? "none of them" : "both"}`);
  });

export const meshSourceSchema = resource("MeshSource", sourceSpec);

export type MeshSource = z.output<typeof meshSourceSchema>;
