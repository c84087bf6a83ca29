/**
 * Certificates for a test, as files: an authority, the server's, the upstream's, and clients' with SPIFFE names.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Authority } from "../../demo/certificates.ts";

/** PEM texts, and the files that hold them. */
export interface Identity {
  cert: string;
  key: string;
  certFile: string;
  keyFile: string;
}

export interface TestCertificates {
  authority: Authority;
  /** Of the authority. */
  ca: string;
  caFile: string;
  server: Identity;
  upstream: Identity;
  /** A client certificate with these URI SANs, signed by the authority or by another. */
  client(uris: string[], signer?: Authority): Promise<Identity>;
}

/** The name in the server's certificate; the upstream has its own. */
export const SERVER_NAME = "dns.example";
export const UPSTREAM_NAME = "dns.upstream.example";

export async function makeCertificates(directory: string): Promise<TestCertificates> {
  const authority = await Authority.create("envoy-dns-policy tests");
  const caFile = join(directory, "ca.pem");
  await writeFile(caFile, authority.certificate);
  const names = [SERVER_NAME, `frontend.${SERVER_NAME}`, `backend.${SERVER_NAME}`, "localhost"];
  let clients = 0;
  const save = async (name: string, { certificate, key }: { certificate: string; key: string }): Promise<Identity> => {
    const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
    await writeFile(certFile, certificate);
    await writeFile(keyFile, key, { mode: 0o600 });
    return { cert: certificate, key, certFile, keyFile };
  };
  return {
    authority,
    ca: authority.certificate,
    caFile,
    server: await save("server", await authority.server({ names, addresses: ["127.0.0.1", "::1"] })),
    upstream: await save("upstream", await authority.server({ names: [UPSTREAM_NAME], addresses: ["127.0.0.1"] })),
    client: async (uris, signer = authority) => save(`client-${++clients}`, await signer.client(uris)),
  };
}
