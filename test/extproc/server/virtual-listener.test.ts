import assert from "node:assert/strict";
import type { Value } from "../../../extproc/gen/types/google/protobuf/Value.ts";
import { encodeDestination } from "../../../extproc/mesh/egress/destination-resources.ts";
import type { DestinationListener } from "../../../extproc/mesh/egress/told-destinations.ts";
import { LocalMesh } from "../../../extproc/mesh/local-mesh.ts";
import type { MeshRoom } from "../../../extproc/mesh/mesh-room.ts";
import type { DiscoveryRequest } from "../../../extproc/server/discovery/envoy-stream.ts";
import { virtualListener } from "../../../extproc/server/discovery/virtual-listener.ts";
import { Harness, until } from "./harness.ts";
import { bearer, EnvoyPeer, LISTENER_URL } from "./peers.ts";
import { POLICY } from "./policies.ts";
import { names, unpack } from "./unpack.ts";

const WANTED = { addresses: ["127.0.0.1", "::1"], port: 15_002, check: undefined };
const asking = (more: Record<string, Value> = {}): DiscoveryRequest => {
  const addresses = { listValue: { values: WANTED.addresses.map((stringValue) => ({ stringValue })) } };
  const fields = { addresses, port: { numberValue: WANTED.port }, ...more };
  return { node: { metadata: { fields: { virtual_addresses: { structValue: { fields } } } } } };
};
const METADATA = asking();
const MESHED = POLICY.replace("upstream: public}", "upstream: public, isolation: {discover: All}}");
const SETTINGS = `---
apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: {name: default}
spec: {mesh: {virtualAddresses: {}}}
`;
const entry = (name: string, more = "resolution: DNS") => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}}
spec: {hosts: [${name}.example], ports: [{number: 5432, name: tcp}], ${more}}
`;

interface GrpcService {
  readonly initial_metadata: readonly { readonly key: string; readonly value: string }[];
}

interface FilterConfig {
  readonly stat_prefix: string;
  readonly cluster?: string;
  readonly failure_mode_deny?: boolean;
  readonly rate_limit_service?: { readonly grpc_service: GrpcService };
}

interface Chain {
  readonly name: string;
  readonly filter_chain_match: { readonly destination_port: { readonly value: number } };
  readonly filters: readonly { readonly typed_config: FilterConfig }[];
}

interface WaitingCluster {
  readonly name: string;
  /** False, where it is there. */
  readonly wait_for_warm_on_init?: object;
}

interface Listener {
  readonly filter_chains?: readonly Chain[];
  readonly access_log?: readonly {
    readonly typed_config: { readonly common_config: { readonly grpc_service: GrpcService } };
  }[];
}

describe("the listener of virtual addresses", () => {
  it("has a chain for each destination, and one for all else", () => {
    const chains = Array.from({ length: 300 }, (_, number) =>
      encodeDestination({
        id: `default/e/h${"o".repeat(number)}st.example/${number + 1}`,
        addresses: ["240.240.0.1", "2001:2::1"],
        port: number + 1,
        resolution: "names",
        endpoints: [],
      }),
    );
    const listener = unpack(
      virtualListener(
        WANTED,
        chains.map(({ chain }) => chain),
        undefined,
      ),
    ) as unknown as {
      readonly filter_chains: readonly Chain[];
      readonly default_filter_chain: Chain;
    };
    assert.deepEqual(
      listener.filter_chains.map(({ filter_chain_match }) => filter_chain_match.destination_port.value),
      chains.map((_, number) => number + 1),
    );
    const [first] = listener.filter_chains;
    assert.equal(first?.filters[0]?.typed_config.cluster, "egress/default/e/hst.example/1");
    assert.equal(first?.filters[0]?.typed_config.stat_prefix, "egress/default/e/hst_example/1");
    assert.equal(listener.default_filter_chain.filters[0]?.typed_config.cluster, "virtual_unknown");
  });
});

describe("discovery of virtual addresses", () => {
  let harness: Harness;
  afterEach(() => harness.stop());

  const listen = (envoy: EnvoyPeer) => envoy.send({ type_url: LISTENER_URL });
  const listenerOf = (envoy: EnvoyPeer): Listener => {
    const last = envoy.received.filter(({ type_url }) => type_url === LISTENER_URL).at(-1);
    const [listener = {}] = (last?.resources ?? []).map(unpack) as unknown as Listener[];
    return listener;
  };
  const chainsOf = (envoy: EnvoyPeer) => (listenerOf(envoy).filter_chains ?? []).map(({ name }) => name);
  /** Lets what was told come about, and what waits for a moment. */
  async function passUntil(condition: () => boolean, what: string): Promise<void> {
    await until(() => {
      harness.clock.advance(10);
      return condition();
    }, what);
  }
  const start = (...entries: string[]) => startWith({}, ...entries);
  const startWith = async (options: { readonly token?: string }, ...entries: string[]) => {
    harness = await Harness.start(options);
    const { status, text } = await harness.apply([MESHED, SETTINGS, ...entries].join("\n"), "?prune=true");
    assert.equal(status, 200, text);
  };

  it("gives clusters first, then the listener, to an Envoy that asks, and to no other", async () => {
    await start(entry("one"));
    const client = harness.client();
    const plain = new EnvoyPeer(client, "plain");
    plain.accept(await plain.next(1));
    listen(plain);
    assert.deepEqual((await plain.next(2)).resources, []);
    const envoy = new EnvoyPeer(client, "envoy", undefined, METADATA);
    listen(envoy);
    await passUntil(() => chainsOf(envoy).length === 1, "the chain");
    assert.deepEqual(chainsOf(envoy), ["default/one/one.example/5432"]);
    const kinds = envoy.received.map(({ type_url, resources }) => [type_url === LISTENER_URL, names(resources)]);
    const own = harness.store.current().clusters[0]?.name;
    assert.deepEqual(kinds.slice(-2), [
      [false, [own, "egress/default/one/one.example/5432"]],
      [true, ["virtual"]],
    ]);
    assert.equal(plain.received.length, 2);
  });

  it("has us asked in front of each chain, where an Envoy wants that, by what authorises its calls", async () => {
    await startWith({ token: "a secret" }, entry("one"));
    const metadata = asking({ check: { boolValue: true }, tenant: { stringValue: "frontend" } });
    const envoy = new EnvoyPeer(harness.client(), "envoy", bearer("a secret"), metadata);
    listen(envoy);
    await passUntil(() => chainsOf(envoy).length === 1, "the chain");
    const { filter_chains, access_log } = listenerOf(envoy);
    const [check, proxy] = filter_chains?.[0]?.filters ?? [];
    assert.equal(proxy?.typed_config.cluster, "egress/default/one/one.example/5432");
    const { rate_limit_service, failure_mode_deny } = check?.typed_config ?? {};
    assert.equal(failure_mode_deny, true);
    const authorised = [
      { key: "x-dns-node", value: "envoy" },
      { key: "authorization", value: "Bearer a secret" },
      { key: "x-dns-tenant", value: "frontend" },
    ];
    assert.deepEqual(rate_limit_service?.grpc_service.initial_metadata, authorised);
    assert.deepEqual(access_log?.[0]?.typed_config.common_config.grpc_service.initial_metadata, authorised);
  });

  it("adds a cluster before its chain, and takes it away when no Envoy has the chain any more", async () => {
    await start(entry("one"));
    const envoy = new EnvoyPeer(harness.client(), "envoy", undefined, METADATA);
    let seen = 0;
    const acceptAll = () => {
      for (; seen < envoy.received.length; seen++) envoy.accept(envoy.received[seen] as (typeof envoy.received)[0]);
      return true;
    };
    listen(envoy);
    await passUntil(() => acceptAll() && chainsOf(envoy).length === 1, "the chain");
    const before = envoy.received.length;
    await harness.apply(entry("two"));
    await harness.http({ method: "DELETE", path: "/v1/resources/ServiceEntry/default%2Fone" });
    await passUntil(() => chainsOf(envoy).join() === "default/two/two.example/5432", "the other chain");
    const told = envoy.received.slice(before);
    assert.ok(
      names(told.filter(({ type_url }) => type_url !== LISTENER_URL).at(-1)?.resources ?? []).includes(
        "egress/default/one/one.example/5432",
      ),
      "gone before the Envoy has said that it has the new listener",
    );
    await passUntil(() => {
      acceptAll();
      const last = envoy.received.at(-1);
      return last !== undefined && last.type_url !== LISTENER_URL && !names(last.resources).join().includes("/one/");
    }, "the cluster to go");
  });

  it("has an Envoy wait for the names of what takes another's place, and of nothing that it has from the start", async () => {
    await start(entry("one"), entry("two"));
    const envoy = new EnvoyPeer(harness.client(), "envoy", undefined, METADATA);
    listen(envoy);
    await passUntil(() => chainsOf(envoy).length === 2, "the chains");
    const waits = () => {
      const last = envoy.received.filter(({ type_url }) => type_url !== LISTENER_URL).at(-1);
      const clusters = (last?.resources ?? []).map(unpack) as unknown as WaitingCluster[];
      const own = clusters.filter(({ name }) => name.startsWith("egress/"));
      return own.map(({ name, wait_for_warm_on_init: wait }) => `${name.split("/")[2]} ${wait === undefined}`);
    };
    assert.deepEqual(waits(), ["one false", "two false"]);
    envoy.accept(envoy.received.at(-1) as (typeof envoy.received)[0]);
    await harness.apply(entry("two", "resolution: DNS, endpoints: [{address: other.example}]"));
    await passUntil(() => waits().includes("two true"), "the other cluster");
    assert.deepEqual(waits(), ["one false", "two true"]);
  });

  it("waits with a listener for the answer to the last, and then has the newest", async () => {
    await start(entry("one"));
    const envoy = new EnvoyPeer(harness.client(), "envoy", undefined, METADATA);
    listen(envoy);
    await passUntil(() => chainsOf(envoy).length === 1, "the chain");
    const listeners = () => envoy.received.filter(({ type_url }) => type_url === LISTENER_URL);
    for (const name of ["two", "three", "four"]) {
      await harness.apply(entry(name));
      harness.clock.advance(1000);
    }
    assert.equal(listeners().length, 1);
    envoy.accept(listeners()[0] as ReturnType<typeof listeners>[0]);
    await passUntil(() => chainsOf(envoy).length === 4, "all chains");
    assert.equal(listeners().length, 2);
  });

  it("leaves an Envoy what it has until the mesh is known; one that has nothing gets what there is", async () => {
    let tell: DestinationListener = () => {};
    const room = await LocalMesh.open({}, { now: () => 0, after: () => {}, onTrouble: () => {} });
    const mesh: MeshRoom = {
      clients: room.clients,
      ask: (kind, asks) => room.ask(kind, asks),
      join: (channel, node) => room.join(channel, node),
      status: () => room.status(),
      close: () => room.close(),
      watchDestinations: (listener) => {
        tell = listener;
      },
    };
    harness = await Harness.start({ mesh });
    const client = harness.client();
    const fresh = new EnvoyPeer(client, "fresh", undefined, METADATA);
    fresh.accept(await fresh.next(1));
    const running = new EnvoyPeer(client, "running", undefined, { ...METADATA, version_info: "7" });
    for (const envoy of [fresh, running]) listen(envoy);
    await until(() => harness.service.control.status().envoys.length === 2, "both Envoys");
    await until(() => harness.service.control.status().envoys[0]?.accepted !== 0, "an acknowledgement");
    assert.deepEqual([fresh.received.length, running.received.length], [1, 0]);
    tell({ set: [], gone: [] });
    await passUntil(() => running.received.length === 2, "clusters and listener");
    assert.deepEqual(chainsOf(running), []);
    const listener = running.received.find(({ type_url }) => type_url === LISTENER_URL);
    running.reject(listener as NonNullable<typeof listener>, "no such filter");
    const rejected = () => harness.service.control.status().envoys.map(({ rejected: why }) => why);
    await until(() => rejected().includes("no such filter"), "the rejection to be told");
  });

  it("gives an address and port to one destination, whoever comes first", async () => {
    const same = "resolution: STATIC, addresses: [240.240.7.7], endpoints: [{address: 10.0.0.1}]";
    await start(entry("b", same), entry("a", same), entry("c"));
    const envoy = new EnvoyPeer(harness.client(), "envoy", undefined, METADATA);
    listen(envoy);
    await passUntil(() => chainsOf(envoy).length > 0, "the chains");
    assert.deepEqual(chainsOf(envoy), ["default/a/a.example/5432", "default/c/c.example/5432"]);
  });
});
