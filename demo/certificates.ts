/**
 * Certificates for trying things out: an authority, servers it signs for, clients with SPIFFE ids. ECDSA P-256.
 */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** PEM texts. */
export interface Identity {
  certificate: string;
  key: string;
}

export interface ServerNames {
  names: string[];
  addresses: string[];
}

/** Validity, from a minute before now. */
export interface Validity {
  days?: number;
  now?: Date;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const day = 86_400_000;

/** A certificate authority whose key lives in this process only. */
export class Authority {
  readonly certificate: string;
  readonly #issuer: X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(issuer: X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#issuer = issuer;
    this.#keys = keys;
    this.certificate = issuer.toString("pem");
  }

  static async create(commonName: string, validity: Validity = {}): Promise<Authority> {
    const keys = await generateKeys();
    const issuer = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: `CN=${commonName}`,
      ...period(validity),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new Authority(issuer, keys);
  }

  server({ names, addresses }: ServerNames, validity: Validity = {}): Promise<Identity> {
    const subject = [
      ...names.map((value) => ({ type: "dns" as const, value })),
      ...addresses.map((value) => ({ type: "ip" as const, value })),
    ];
    return this.#sign(names[0] ?? addresses[0] ?? "server", subject, ExtendedKeyUsage.serverAuth, validity);
  }

  /** A client certificate with these URI SANs; a SPIFFE identity has exactly one. */
  client(uris: string[], validity: Validity = {}): Promise<Identity> {
    const subject = uris.map((value) => ({ type: "url" as const, value }));
    return this.#sign("client", subject, ExtendedKeyUsage.clientAuth, validity);
  }

  async #sign(
    commonName: string,
    subject: { type: "dns" | "ip" | "url"; value: string }[],
    usage: string,
    validity: Validity,
  ): Promise<Identity> {
    const keys = await generateKeys();
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      await AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ];
    if (subject.length > 0) extensions.push(new SubjectAlternativeNameExtension(subject));
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${commonName}`,
      issuer: this.#issuer.subject,
      ...period(validity),
      signingAlgorithm: algorithm,
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      extensions,
    });
    const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    return { certificate: certificate.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
  }
}

/** Files of the demo, in one folder. */
export interface CertificateFiles {
  ca: string;
  server: string;
  serverKey: string;
  client: string;
  clientKey: string;
}

export function certificateFiles(folder: string): CertificateFiles {
  return {
    ca: join(folder, "ca.pem"),
    server: join(folder, "server.pem"),
    serverKey: join(folder, "server.key"),
    client: join(folder, "client.pem"),
    clientKey: join(folder, "client.key"),
  };
}

/** Writes the demo's certificates unless they are there and have more than a day to live. */
export async function writeCertificates(
  folder: string,
  server: ServerNames,
  principal: string,
): Promise<CertificateFiles> {
  const files = certificateFiles(folder);
  if (Object.values(files).every((file) => existsSync(file)) && isFresh(files.server)) return files;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await Authority.create("envoy-dns-policy demo");
  const serverIdentity = await authority.server(server);
  const client = await authority.client([principal]);
  writeFileSync(files.ca, authority.certificate);
  writeFileSync(files.server, serverIdentity.certificate);
  writeFileSync(files.serverKey, serverIdentity.key, { mode: 0o600 });
  writeFileSync(files.client, client.certificate);
  writeFileSync(files.clientKey, client.key, { mode: 0o600 });
  return files;
}

function isFresh(file: string): boolean {
  return new X509Certificate(readFileSync(file, "utf8")).notAfter.getTime() > Date.now() + day;
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function period({ days = 30, now = new Date() }: Validity): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - 60_000), notAfter: new Date(now.getTime() + days * day) };
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets, unique for the issuer. */
function serialNumber(): string {
  const octets = webcrypto.getRandomValues(new Uint8Array(16));
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(octets).toString("hex");
}
