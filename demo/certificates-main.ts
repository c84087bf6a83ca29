/**
 * Writes the demo's certificates into a folder, once: what compose runs before anything else.
 */
import { parseArgs } from "node:util";
import { writeCertificates } from "./certificates.ts";

const { values } = parseArgs({
  options: {
    folder: { type: "string" },
    name: { type: "string", multiple: true, default: [] },
    address: { type: "string", multiple: true, default: [] },
    principal: { type: "string", default: "spiffe://cluster.local/ns/web/sa/shop" },
  },
});
if (values.folder === undefined) throw new Error("--folder: expected a folder, got none");
await writeCertificates(values.folder, { names: values.name, addresses: values.address }, values.principal);
