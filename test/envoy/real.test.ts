/**
 * What the configuration does on a real Envoy, without our filter: its listeners with another end.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { get as httpsGet } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, type Identity } from "../../demo/certificates.ts";
import { type Question, Upstream } from "../../demo/upstream.ts";
import { parseZone } from "../../demo/zone.ts";
import { bootstrap } from "../../envoy/bootstrap.ts";
import { type Config, toYaml } from "../../envoy/config.ts";
import { findEnvoy } from "../../envoy/fetch.mjs";
import { http2 } from "../../envoy/http.ts";
import { type BootstrapOptions, defaultLimits, envoyArguments } from "../../envoy/options.ts";
import { demo } from "../../envoy/profiles.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { Doh3Client } from "../e2e/clients/doh3.ts";
import { encodeQuestion } from "../e2e/dns.ts";
import { freePort } from "../e2e/ports.ts";
import { Program } from "../e2e/process.ts";
import { emptyFilter } from "./empty-filter.ts";

interface Listener {
  name: string;
  filter_chains: { filters: Config[] }[];
}

const one = "spiffe://cluster.local/ns/web/sa/shop";
const two = "spiffe://cluster.local/ns/web/sa/admin";

describe("The configuration on a real Envoy", function () {
  this.timeout(60_000);
  let folder: string;
  let envoy: Program;
  let authority: Authority;
  let server: Identity;
  let upstream: Upstream;
  let asked: Question[];
  let ports: { udp: number; tcp: number; dot: number; doh: number };
  let admin: number;
  let proxied: number;
  let plainDoh: number;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "dnspolicy-test-"));
    authority = await Authority.create("test");
    server = await authority.server({ names: ["localhost"], addresses: ["127.0.0.1"] });
    const files = { ca: authority.certificate, certificate: server.certificate, key: server.key };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, "filter.wasm"), emptyFilter);
    const zone = parseZone("www.example.org. A 192.0.2.1\n");
    const answer = (question: Question, truth: Buffer): Buffer => {
      asked.push(question);
      return truth;
    };
    upstream = new Upstream({ zone, tls: server, ports: { doh: 0 }, hooks: { answer } });
    await upstream.start();
    const [udp, tcp, dot, doh, ...others] = await Promise.all(Array.from({ length: 7 }, () => freePort()));
    ports = { udp, tcp, dot, doh } as typeof ports;
    [admin, proxied, plainDoh] = others as [number, number, number];
    const options: BootstrapOptions = {
      ...demo,
      concurrency: 1,
      addresses: ["127.0.0.1"],
      wasm: join(folder, "filter.wasm"),
      ports,
      tls: { certificate: join(folder, "certificate"), key: join(folder, "key"), clientCa: join(folder, "ca") },
      policyService: { path: join(folder, "policy.sock") },
      limits: { ...defaultLimits, listenerConnections: 5 },
      admin: { address: "127.0.0.1", port: admin },
      proxied: { port: proxied, balancers: ["127.0.0.1"] },
    };
    writeFileSync(join(folder, "envoy.yaml"), toYaml(withoutFilter(bootstrap(options)), "test"));
    const quiet = ["--log-level", "error"];
    envoy = new Program("envoy", findEnvoy(), [...envoyArguments(join(folder, "envoy.yaml"), options), ...quiet]);
    await eventually(20_000, "Envoy is ready", async () => (await get("/ready")).trim() === "LIVE");
  });

  beforeEach(() => {
    asked = [];
  });

  after(async () => {
    await envoy?.stop();
    await upstream?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function get(path: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${admin}${path}`)).text();
  }

  /** Takes our wasm filters out; DoH answers with what it would have read of the client. */
  function withoutFilter(config: Config): Config {
    const parts = config.static_resources as unknown as { listeners: Listener[]; clusters: Config[] };
    const isWasm = ({ name }: Config): boolean => String(name).endsWith(".wasm");
    for (const { filter_chains } of parts.listeners) {
      for (const chain of filter_chains ?? []) {
        chain.filters = chain.filters.filter((filter) => !isWasm(filter));
        const connection = chain.filters.at(-1)?.typed_config as Config;
        if (!Array.isArray(connection.http_filters)) continue;
        connection.http_filters = (connection.http_filters as Config[]).filter((filter) => !isWasm(filter));
        if (!String(connection.stat_prefix).startsWith("doh")) continue;
        const sans = { header: { key: "x-sans", value: "[%FILTER_STATE(dns.uri_sans:PLAIN)%]" } };
        const address = { header: { key: "x-client", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } };
        (connection.route_config as Config).response_headers_to_add = [sans, address];
      }
    }
    parts.listeners.push(plainListener());
    parts.clusters.push(dohServer());
    return config;
  }

  /** A way for the test into the internal listener dns_doh_out. */
  function plainListener(): Listener & Config {
    const type = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
    const proxy = { "@type": type, stat_prefix: "test", cluster: "dns_doh_out" };
    return {
      name: "test",
      address: { socket_address: { address: "127.0.0.1", port_value: plainDoh } },
      filter_chains: [{ filters: [{ name: "tcp_proxy", typed_config: proxy }] }],
    };
  }

  function dohServer(): Config {
    const type = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    const address = { socket_address: { address: "127.0.0.1", port_value: upstream.ports.doh ?? 0 } };
    return {
      name: "up/test",
      transport_socket: {
        name: "tls",
        typed_config: { "@type": type, common_tls_context: { alpn_protocols: ["h2"] } },
      },
      typed_extension_protocol_options: http2(),
      load_assignment: { cluster_name: "up/test", endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    };
  }

  const tls = (identity?: Identity) => ({
    ca: authority.certificate,
    servername: "localhost",
    ...(identity ? { cert: identity.certificate, key: identity.key } : {}),
  });

  /** By HTTP/1.1, which is Envoy's; HTTP/2 is the filter's own. */
  async function getDoh(path: string, options: { identity?: Identity; headers?: Record<string, string> } = {}) {
    const { identity, headers = {} } = options;
    const at = { host: "127.0.0.1", port: ports.doh, path, headers, agent: false, ALPNProtocols: ["http/1.1"] };
    const [response] = (await once(httpsGet({ ...tls(identity), ...at }), "response")) as [IncomingMessage];
    return response.resume();
  }

  async function sansOverDoh(identity?: Identity): Promise<unknown> {
    return (await getDoh("/dns-query", identity ? { identity } : {})).headers["x-sans"];
  }

  async function sansOverQuic(identity?: Identity): Promise<unknown> {
    const certificate = { cert: join(folder, "client.pem"), key: join(folder, "client.key") };
    if (identity) {
      writeFileSync(certificate.cert, identity.certificate);
      writeFileSync(certificate.key, identity.key);
    }
    const options = { serverName: "localhost", ca: join(folder, "ca"), ...(identity ? { certificate } : {}) };
    const client = await Doh3Client.open({ host: "127.0.0.1", port: ports.doh }, options);
    try {
      return (await client.request({ ":method": "GET", ":path": "/dns-query" })).headers["x-sans"];
    } finally {
      await client.close();
    }
  }

  for (const [transport, sans] of [
    ["TLS", sansOverDoh],
    ["QUIC", sansOverQuic],
  ] as const) {
    describe(`client certificates over ${transport}`, () => {
      it("are not required", async () => assert.equal(await sans(), "[]"));

      it("give the filter every URI SAN, so that it can refuse more than one", async () => {
        assert.equal(await sans(await authority.client([one])), `[${one}]`);
        assert.equal(await sans(await authority.client([one, two])), `[${one},${two}]`);
        assert.equal(await sans(await authority.client([])), "[]");
      });

      it("of another CA, or expired, end the handshake", async () => {
        const stranger = await Authority.create("stranger");
        await assert.rejects(stranger.client([one]).then(sans));
        await assert.rejects(authority.client([one], { days: 1, now: new Date("2020-01-01") }).then(sans));
      });
    });
  }

  it("does not believe a client's x-forwarded-for, and refuses escaped slashes", async () => {
    const { headers } = await getDoh("/dns-query", { headers: { "x-forwarded-for": "10.0.0.1" } });
    assert.equal(headers["x-client"], "127.0.0.1");
    assert.equal((await getDoh("/t%2Fother/dns-query")).statusCode, 400);
  });

  it("takes a GET of 12,000 octets, and answers 431 beyond the header limit", async () => {
    const path = (octets: number) => `/dns-query?dns=${Buffer.alloc(octets).toString("base64url")}`;
    assert.equal((await getDoh(path(12_000))).statusCode, 404);
    assert.equal((await getDoh(path(13_000))).statusCode, 431);
  });

  it("shows a DoH server nothing but the request", async () => {
    const session = connectHttp2(`http://127.0.0.1:${plainDoh}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/dns-query",
      ":authority": "dns.upstream.example",
      "content-type": "application/dns-message",
      "x-dns-cluster": "up/test",
      "x-envoy-internal": "true",
      "x-envoy-expected-rq-timeout-ms": "1500",
    });
    stream.end(encodeQuestion("www.example.org"));
    const [response] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    await once(stream, "close");
    session.close();
    assert.equal(response[":status"], 200);
    assert.deepEqual(Object.keys(asked[0]?.headers ?? {}).sort(), [
      ":authority",
      ":method",
      ":path",
      ":scheme",
      "content-type",
    ]);
    assert.equal(asked[0]?.headers[":scheme"], "https");
    assert.equal(asked[0]?.headers[":authority"], "dns.upstream.example");
  });

  it("believes the PROXY protocol of its balancers only", async () => {
    const say = async (localAddress: string): Promise<string> => {
      const socket = connect({ host: "127.0.0.1", port: proxied, localAddress });
      socket.write("PROXY TCP4 10.9.8.7 127.0.0.1 4000 53\r\n");
      socket.write("hello");
      const chunks: Buffer[] = [];
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      await Promise.race([once(socket, "close"), once(socket, "data")]);
      socket.destroy();
      return Buffer.concat(chunks).toString();
    };
    assert.equal(await say("127.0.0.1"), "hello");
    assert.equal(await say("127.0.0.9"), "");
  });

  it("closes a connection beyond a listener's limit", async () => {
    const sockets: Socket[] = [];
    const open = async (): Promise<Socket> => {
      const socket = connect(ports.tcp, "127.0.0.1");
      socket.on("error", () => {});
      sockets.push(socket);
      await once(socket, "connect");
      return socket;
    };
    for (let count = 0; count < 5; count++) {
      const socket = await open();
      socket.write("x");
      await once(socket, "data");
    }
    await once((await open()).resume(), "close");
    for (const socket of sockets) socket.destroy();
  });

  it("keeps the admin interface to what reading and draining need", async () => {
    assert.match(await get("/stats/prometheus"), /^envoy_server_live/m);
    for (const path of ["/config_dump", "/quitquitquit", "/logging", "/runtime_modify"]) {
      assert.equal((await fetch(`http://127.0.0.1:${admin}${path}`, { method: "POST" })).status, 403, path);
    }
  });
});
