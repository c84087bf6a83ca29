/**
 * The flags of `dnspolicy serve` that say which etcd is the store, named as etcdctl names them.
 */
import type { EtcdOptions } from "../etcd/etcd.ts";
import { readFlagFile, readSecret, usage } from "./flag-file.ts";

export interface EtcdFlags {
  readonly storeEtcd?: string;
  readonly etcdPrefix?: string;
  readonly etcdCacert?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdUser?: string;
  readonly etcdPasswordFile?: string;
}

export const DEFAULT_ETCD_PREFIX = "/dnspolicy/";

export async function readEtcd(flags: EtcdFlags, environmentPassword: string | undefined): Promise<EtcdOptions> {
  const { storeEtcd = "", etcdPrefix = DEFAULT_ETCD_PREFIX, etcdCacert, etcdCert, etcdKey } = flags;
  const endpoints = storeEtcd.split(",");
  for (const endpoint of endpoints) {
    if (!/^https?:\/\/[^/@]+$/.test(endpoint)) {
      throw usage(`expected http://host:port or https://host:port with --store-etcd, got ${endpoint}`);
    }
  }
  const secured = endpoints.filter((endpoint) => endpoint.startsWith("https:")).length;
  if (secured > 0 && secured < endpoints.length)
    throw usage("expected --store-etcd of all http or all https, got both");
  const files = { "--etcd-cacert": etcdCacert, "--etcd-cert": etcdCert, "--etcd-key": etcdKey };
  const [given] = Object.entries(files).find(([, path]) => path !== undefined) ?? [];
  if (given !== undefined && secured === 0) throw usage(`expected https with ${given}, got ${storeEtcd}`);
  if ((etcdCert === undefined) !== (etcdKey === undefined)) {
    throw usage("expected --etcd-cert and --etcd-key, got not both");
  }
  if (!/^[\x21-\x7e]+$/.test(etcdPrefix)) {
    throw usage(`expected --etcd-prefix of ASCII without spaces, got ${JSON.stringify(etcdPrefix)}`);
  }
  const read = async (flag: keyof typeof files) => {
    const path = files[flag];
    return path === undefined ? undefined : (await readFlagFile(flag, path)).toString();
  };
  return {
    endpoints,
    prefix: etcdPrefix.endsWith("/") ? etcdPrefix : `${etcdPrefix}/`,
    ca: await read("--etcd-cacert"),
    certificate: await read("--etcd-cert"),
    key: await read("--etcd-key"),
    user: await readUser(flags, environmentPassword),
  };
}

async function readUser(
  { etcdUser: name, etcdPasswordFile }: EtcdFlags,
  environmentPassword: string | undefined,
): Promise<EtcdOptions["user"]> {
  if (name === undefined) {
    if (etcdPasswordFile !== undefined) throw usage("expected --etcd-user with --etcd-password-file, got none");
    return undefined;
  }
  if (name.includes(":")) throw usage("expected a name with --etcd-user, got a password behind it: use a file");
  if (etcdPasswordFile !== undefined) {
    return { name, password: await readSecret("--etcd-password-file", etcdPasswordFile, "a password") };
  }
  if (environmentPassword !== undefined) return { name, password: environmentPassword };
  throw usage("expected --etcd-password-file or DNSPOLICY_ETCD_PASSWORD with --etcd-user, got neither");
}
