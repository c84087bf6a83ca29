/** Names of the mesh that come from elsewhere: which, and whose they are. */

import { z } from "zod";
import { checked, namespaceName } from "./field.ts";
import { list, resource } from "./schema-parts.ts";
import { transfer } from "./transfer-schema.ts";

const exportTarget = checked((text) =>
  /^([*.~]|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/.test(text) ? undefined : "a namespace, or one of * . ~",
);

const sourceSpec = z.strictObject({
  /** Whose names they are, as if they were a ServiceEntry's there. */
  namespace: namespaceName,
  /** Namespaces whose tenants may know them, as Istio has it; by default all. */
  exportTo: list(exportTarget).optional(),
  /** A zone that is fetched (AXFR, IXFR). */
  transfer,
});

export const meshSourceSchema = resource("MeshSource", sourceSpec);

export type MeshSource = z.output<typeof meshSourceSchema>;
