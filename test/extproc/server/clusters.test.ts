import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { clusterResource } from "../../../extproc/server/discovery/cluster-resource.ts";
import { Harness, until } from "./harness.ts";
import { bearer, EnvoyPeer, WorkerPeer } from "./peers.ts";
import { DENY_COM, TENANT, upstream } from "./policies.ts";
import { names, unpack } from "./unpack.ts";

const MOVED = [TENANT, upstream(9953), DENY_COM].join("---\n");

const server = {
  name: "up/x/1",
  address: "192.0.2.1",
  port: 853,
  serverName: "dns.example",
  ca: "PEM",
  pins: [],
  clientCertificate: undefined,
  minimumVersion: "1.2",
} as const;

describe("clusters as resources", () => {
  it("verifies the name and the authorities of a DoT server", () => {
    const cluster = unpack(clusterResource({ ...server, protocol: 0 }, "DEFAULT"));
    assert.deepEqual(cluster.transport_socket, {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        sni: "dns.example",
        common_tls_context: {
          alpn_protocols: ["dot"],
          tls_params: { tls_minimum_protocol_version: "TLSv1_2", tls_maximum_protocol_version: "TLSv1_3" },
          validation_context: {
            trusted_ca: { inline_bytes: "PEM" },
            match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "dns.example" } }],
          },
        },
      },
    });
    assert.deepEqual(cluster.connect_timeout, { seconds: 1 });
    assert.equal(cluster.type, "STATIC");
    assert.equal(cluster.typed_extension_protocol_options, undefined);
  });

  it("trusts the default authorities where none are given", () => {
    const text = JSON.stringify(unpack(clusterResource({ ...server, ca: "", protocol: 0 }, "DEFAULT")));
    assert.match(text, /"trusted_ca":\{"inline_bytes":"DEFAULT"\}/);
  });

  it("pins keys, shows a certificate, and asks for TLS 1.3 where told to", () => {
    const clientCertificate = { certificateFile: "/c.pem", keyFile: "/c.key" };
    const definition = { ...server, protocol: 0, pins: ["AAAA"], clientCertificate, minimumVersion: "1.3" } as const;
    const text = JSON.stringify(unpack(clusterResource(definition, "")));
    assert.match(text, /"verify_certificate_spki":\["AAAA"\]/);
    assert.match(text, /"certificate_chain":\{"filename":"\/c.pem"\},"private_key":\{"filename":"\/c.key"\}/);
    assert.match(text, /"tls_minimum_protocol_version":"TLSv1_3"/);
  });

  it("speaks plain TCP without TLS", () => {
    const cluster = unpack(clusterResource({ ...server, serverName: "", ca: "", protocol: 1 }, "DEFAULT"));
    assert.equal(cluster.transport_socket, undefined);
    assert.deepEqual(cluster.per_connection_buffer_limit_bytes, { value: 131_072 });
    assert.ok(cluster.upstream_connection_options);
  });

  it("speaks HTTP/2 for DoH and HTTP/3 over QUIC for DoH3", () => {
    const doh = JSON.stringify(unpack(clusterResource({ ...server, protocol: 2 }, "")));
    assert.match(doh, /"alpn_protocols":\["h2"\]/);
    assert.match(doh, /"http2_protocol_options"/);
    const doh3 = unpack(clusterResource({ ...server, address: "2001:db8::1", protocol: 3 }, ""));
    assert.match(JSON.stringify(doh3), /"http3_protocol_options"/);
    assert.equal((doh3.transport_socket as { name: string }).name, "envoy.transport_sockets.quic");
    assert.match(JSON.stringify(doh3), /"exact":"dns.example"/);
  });

  it("has breakers above what workers allow themselves", () => {
    const { circuit_breakers } = unpack(clusterResource({ ...server, protocol: 0 }, "")) as {
      circuit_breakers: { thresholds: Record<string, { value: number }>[] };
    };
    for (const { value } of Object.values(circuit_breakers.thresholds[0] ?? {})) assert.ok(value > 4096);
  });
});

describe("cluster discovery", () => {
  let harness: Harness;
  afterEach(() => harness.stop());

  it("gives an Envoy the clusters of the policy in force", async () => {
    harness = await Harness.start();
    const envoy = new EnvoyPeer(harness.client());
    const response = await envoy.next(1);
    assert.equal(response.type_url, "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    assert.deepEqual(names(response.resources), [harness.store.current().clusters[0]?.name]);
    envoy.accept(response);
    await until(() => harness.service.control.status().envoys[0]?.accepted === 1, "the acknowledgement");
    assert.deepEqual(harness.service.control.status().envoys, [{ node: "envoy", accepted: 1, rejected: "" }]);
    assert.equal(envoy.received.length, 1);
  });

  it("adds first, then tells the workers, and removes last", async () => {
    harness = await Harness.start();
    const [before] = harness.store.current().clusters;
    const envoy = new EnvoyPeer(harness.client());
    envoy.accept(await envoy.next(1));
    const worker = WorkerPeer.hello(harness.client());
    await worker.waitRevision(1);
    const applied = harness.apply(MOVED);
    const both = await envoy.next(2);
    assert.equal(both.resources.length, 2);
    harness.clock.advance(999);
    assert.deepEqual(worker.revisions, [1]);
    assert.equal(harness.service.control.sequence, 1);
    envoy.accept(both);
    await worker.waitRevision(2);
    assert.equal(envoy.received.length, 2);
    worker.ack(2);
    assert.equal((await applied).status, 200);
    const last = await envoy.next(3);
    assert.equal(last.resources.length, 1);
    assert.notDeepEqual(names(last.resources), [before?.name]);
  });

  it("keeps the old clusters for as long as a worker that is away may use them", async () => {
    harness = await Harness.start({ lastGoodMs: 60_000 });
    const envoy = new EnvoyPeer(harness.client());
    envoy.accept(await envoy.next(1));
    const worker = WorkerPeer.hello(harness.client(), { obedient: true });
    await worker.waitRevision(1);
    worker.cancel();
    await until(() => harness.service.control.workers()[0]?.connected === false, "the worker to be gone");
    const applied = harness.apply(MOVED);
    envoy.accept(await envoy.next(2));
    assert.equal((await applied).status, 202);
    assert.equal(envoy.received.length, 2);
    // It is sent to where its workers are, and comes back.
    harness.clock.advance(60_000);
    const again = new EnvoyPeer(harness.client());
    assert.equal((await again.next(1)).resources.length, 1);
  });

  it("waits a second at most for an Envoy that says nothing", async () => {
    harness = await Harness.start();
    const envoy = new EnvoyPeer(harness.client());
    await envoy.next(1);
    const applied = harness.apply(MOVED);
    await envoy.next(2);
    await until(() => harness.clock.isDue(1000), "the wait for Envoys");
    harness.clock.advance(1000);
    assert.equal((await applied).status, 200);
    assert.equal(harness.service.control.sequence, 2);
  });

  it("does not wait for an Envoy that rejects, or goes, and tells of the one that rejects", async () => {
    harness = await Harness.start();
    const client = harness.client();
    const angry = new EnvoyPeer(client, "angry");
    const fickle = new EnvoyPeer(client, "fickle");
    angry.accept(await angry.next(1));
    fickle.accept(await fickle.next(1));
    const applied = harness.apply(MOVED);
    angry.reject(await angry.next(2), "no such thing");
    await fickle.next(2);
    fickle.cancel();
    const { status: code, text } = await applied;
    assert.equal(code, 200);
    assert.deepEqual(JSON.parse(text).envoys, [{ node: "angry", accepted: 1, rejected: "no such thing" }]);
    const metrics = await harness.http({ path: "/metrics" });
    assert.match(metrics.text, /^dns_envoys_rejecting 1$/m);
  });

  it("sends nothing where the clusters stay", async () => {
    harness = await Harness.start();
    const envoy = new EnvoyPeer(harness.client());
    envoy.accept(await envoy.next(1));
    await until(() => harness.service.control.status().envoys[0]?.accepted === 1, "the acknowledgement");
    assert.equal((await harness.apply([TENANT, upstream()].join("---\n"), "?prune=true")).status, 200);
    assert.equal(harness.service.control.sequence, 2);
    assert.equal(envoy.received.length, 1);
  });

  it("takes an answer to an older version for no answer", async () => {
    harness = await Harness.start();
    const envoy = new EnvoyPeer(harness.client());
    const first = await envoy.next(1);
    const applied = harness.apply(MOVED);
    const second = await envoy.next(2);
    envoy.accept(first);
    await until(() => harness.clock.isDue(1000), "the wait for Envoys");
    assert.equal(harness.service.control.sequence, 1);
    envoy.accept(second);
    assert.equal((await applied).status, 200);
  });

  it("has a service of clusters alone", async () => {
    harness = await Harness.start();
    const envoy = EnvoyPeer.ofClusters(harness.client());
    await until(() => envoy.received.length === 1, "the clusters");
    assert.deepEqual(names(envoy.received[0]?.resources ?? []), [harness.store.current().clusters[0]?.name]);
  });

  it("asks for the token, and for kinds that it has", async () => {
    harness = await Harness.start({ token: "secret" });
    const client = harness.client();
    assert.equal((await new EnvoyPeer(client).waitEnd()).code, status.UNAUTHENTICATED);
    const admitted = new EnvoyPeer(client, "envoy", bearer("secret"));
    await admitted.next(1);
    admitted.send({ type_url: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration" });
    assert.equal((await admitted.waitEnd()).code, status.INVALID_ARGUMENT);
  });
});
