/**
 * The public authorities, for upstreams that name none of their own: those of this machine, or Node's where it has
 * none.
 *
 * They are sent to Envoy, which knows no system's authorities: it refuses to check a certificate's name without
 * given ones, and its system_root_certs is for gRPC clients only.
 */
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";

/** Debian, Alpine and distroless images; Fedora and its kin, new and old; SUSE; BSD and macOS. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const CERTIFICATE = "-----BEGIN CERTIFICATE-----";

/** PEM. */
export async function readPublicRoots(files: readonly string[] = BUNDLES): Promise<string> {
  for (const file of files) {
    const pem = await readFile(file, "utf8").catch(() => "");
    if (pem.includes(CERTIFICATE)) return pem;
  }
  return `${rootCertificates.join("\n")}\n`;
}
