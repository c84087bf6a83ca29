/**
 * A real etcd, for suites that run where test/kubernetes/api.sh has built one and DNSPOLICY_TEST_KUBECONFIG asks for real parts.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd } from "../../extproc/etcd/etcd.ts";
import type { Identity } from "../e2e/certificates.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { freePort } from "../e2e/ports.ts";
import { Program } from "../e2e/process.ts";

const { DNSPOLICY_KUBERNETES_BIN, XDG_CACHE_HOME = join(homedir(), ".cache") } = process.env;
const BINARY = join(DNSPOLICY_KUBERNETES_BIN ?? join(XDG_CACHE_HOME, "dnspolicy-kubernetes/bin"), "etcd");

export const HAS_ETCD = process.env.DNSPOLICY_TEST_KUBECONFIG !== undefined && existsSync(BINARY);

export class EtcdServer {
  readonly url: string;
  readonly #folder: string;
  readonly #peer: string;
  readonly #flags: readonly string[];
  #program: Program;

  /** `flags`: more of etcd's own; with certificates in them, it is asked by https. */
  static async start(flags: readonly string[] = []): Promise<EtcdServer> {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-etcd-"));
    const scheme = flags.includes("--cert-file") ? "https" : "http";
    const [client, peer] = [await freePort(), await freePort()];
    const server = new EtcdServer(folder, `${scheme}://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`, flags);
    await server.#isUp();
    return server;
  }

  private constructor(folder: string, url: string, peer: string, flags: readonly string[]) {
    this.#folder = folder;
    this.url = url;
    this.#peer = peer;
    this.#flags = flags;
    this.#program = this.#run();
  }

  /** Another client of it, below a prefix of its own or of others. */
  client(prefix: string): Promise<Etcd> {
    return Etcd.open({ endpoints: [this.url], prefix });
  }

  async kill(): Promise<void> {
    this.#program.signal("SIGKILL");
    await this.#program.ended;
  }

  /** With all that it had. */
  async restart(): Promise<void> {
    this.#program = this.#run();
    await this.#isUp();
  }

  /** It forgets what was before its newest revision. */
  async compact(): Promise<void> {
    const { Etcd3 } = await import("etcd3");
    const etcd = new Etcd3({ hosts: this.url });
    const { header } = await etcd.kv.range({ key: Buffer.from("/") });
    await etcd.kv.compact({ revision: header.revision, physical: true });
    etcd.close();
  }

  /** From now on only those with a password may do something, and this one may below the prefix. */
  async addUser(
    { ca, identity }: { readonly ca: string; readonly identity: Identity },
    { name, password, prefix }: { readonly name: string; readonly password: string; readonly prefix: string },
  ): Promise<void> {
    const { Etcd3, Range } = await import("etcd3");
    const credentials = {
      rootCertificate: Buffer.from(ca),
      privateKey: Buffer.from(identity.key),
      certChain: Buffer.from(identity.cert),
    };
    const etcd = new Etcd3({ hosts: this.url, credentials });
    const { start, end } = Range.prefix(prefix);
    for (const user of [name, "root"]) {
      await etcd.auth.userAdd({ name: user, password });
      await etcd.auth.roleAdd({ name: user });
      await etcd.auth.userGrantRole({ user, role: user });
    }
    await etcd.auth.roleGrantPermission({ name, perm: { permType: "Readwrite", key: start, range_end: end } });
    await etcd.auth.authEnable();
    etcd.close();
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    await rm(this.#folder, { recursive: true });
  }

  #run(): Program {
    const peer = ["--listen-peer-urls", this.#peer, "--initial-advertise-peer-urls", this.#peer];
    return new Program("etcd", BINARY, [
      ...["--name", "test", "--data-dir", join(this.#folder, "data"), "--unsafe-no-fsync"],
      ...["--listen-client-urls", this.url, "--advertise-client-urls", this.url],
      ...[...peer, "--initial-cluster", `test=${this.#peer}`, ...this.#flags],
    ]);
  }

  async #isUp(): Promise<void> {
    await eventually(10_000, `etcd at ${this.url}`, () => {
      if (!this.#program.running) throw new Error(`etcd has ended: ${this.#program.output}`);
      return this.#program.output.includes("ready to serve client requests");
    });
  }
}
