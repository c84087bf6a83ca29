/**
 * The fake host's own tests, against a small guest that does what it is told and logs what it sees.
 */
import { strict as assert } from "node:assert";
import { Action, CloseType } from "./abi.ts";
import { EnvoyCrash } from "./connection.ts";
import { decodeGrpc, decodeTcp, encodeGrpc, encodeTcp } from "./framing.ts";
import { Host, type HostOptions } from "./host.ts";
import { decodePairs, encodePairs, encodeText } from "./memory.ts";
import { compileProbe } from "./probe.ts";
import { GuestTrap } from "./vm.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("fake host", () => {
  let module: Uint8Array;
  before(async function () {
    this.timeout(60_000);
    module = await compileProbe();
  });

  const load = (options: Partial<HostOptions> = {}) =>
    Host.load(module, { plugins: [{ name: "a", configuration: "role=a" }], vmConfiguration: "node=n", ...options });

  /** What the guest logged since the last time. */
  const told = (host: Host) => host.logs.splice(0).map(({ message }) => message);

  it("creates, starts and configures a root context for each plugin", async () => {
    const plugins = [
      { name: "a", configuration: "role=a" },
      { name: "b", configuration: "role=bb" },
    ];
    const host = await load({ plugins });
    assert.deepEqual(told(host), [
      "create 1 0",
      "start 6 node=n",
      "configure 6 role=a",
      "create 2 0",
      "start 6 node=n",
      "configure 7 role=bb",
    ]);
    assert.equal(host.connect("b").root.id, 2);
  });

  it("says that a guest refused its configuration", async () => {
    await assert.rejects(load({ plugins: [{ name: "a", configuration: "refuse" }] }), /refused/);
  });

  it("lets through what the filter continues, and keeps what it stops", async () => {
    const host = await load();
    const client = host.connect("a");
    assert.equal(client.send(encodeText("C1")), Action.Continue);
    assert.equal(text(client.take()), "C1");
    assert.equal(client.send(encodeText("K1")), Action.StopIteration);
    assert.equal(text(client.take()), "");
    client.send(encodeText("23"));
    assert.deepEqual(told(host).slice(-1), ["data 2 K123 0"]);
    assert.equal(client.unread, 4);
  });

  it("writes the replaced buffer when the stream continues", async () => {
    const client = (await load()).connect("a");
    client.send(encodeText("R"));
    assert.equal(text(client.take()), "replied");
    assert.equal(client.unread, 0);
  });

  it("writes from a tick through the effective context, and not to a connection that is gone", async () => {
    const host = await load();
    const client = host.connect("a");
    client.send(encodeText("T"));
    host.advance(99);
    assert.equal(text(client.take()), "");
    host.advance(1);
    assert.equal(text(client.take()), "ticked");
    client.close();
    told(host);
    host.advance(250);
    assert.deepEqual(told(host), ["tick 2", "tick 2"]);
    assert.equal(host.liveContexts, 0);
  });

  it("flushes the last words before it closes, and tells the guest in Envoy's order", async () => {
    const host = await load();
    const client = host.connect("a");
    client.send(encodeText("Q"));
    assert.equal(text(client.take()), "last words");
    assert.equal(client.closedBy, CloseType.Local);
    assert.deepEqual(told(host).slice(-3), ["gone 2 1", "done 2", "delete 2"]);
    assert.throws(() => client.send(encodeText("C")), /closed/);
  });

  it("closes a connection whose client does not read only when it does", async () => {
    const client = (await load()).connect("a");
    client.clientReads = false;
    client.send(encodeText("Q"));
    assert.equal(client.closedBy, undefined);
    client.drain();
    assert.equal(client.closedBy, CloseType.Local);
  });

  it("answers a read past the end with Ok and a null pointer", async () => {
    const host = await load();
    host.connect("a").send(encodeText("O"));
    assert.deepEqual(told(host).slice(-1), ["over 0 0 0"]);
  });

  it("knows what TLS says only after the handshake", async () => {
    const host = await load();
    const tlsProperties = { "connection.uri_san_peer_certificate": "spiffe://a/b" };
    host.connect("a", { tlsProperties }).send(encodeText("I"));
    assert.deepEqual(told(host).slice(-3), ["connection 2 status 1", "data 2 I 0", "spiffe://a/b"]);
  });

  it("gives time and chance that repeat", async () => {
    const lines = [];
    for (let round = 0; round < 2; round++) {
      const host = await load({ seed: 7 });
      host.advance(1500);
      host.connect("a").send(encodeText("W"));
      lines.push(told(host).at(-1));
    }
    assert.equal(lines[0], lines[1]);
    assert.match(lines[0] ?? "", /^time 3601500 random \d+$/);
  });

  it("shows an HTTP call and gives its response to be read during the callback", async () => {
    const host = await load();
    const client = host.connect("a");
    client.send(encodeText("H"));
    const call = host.httpCall("policy");
    assert.equal(call.header(":path"), "/x");
    assert.equal(call.header("x-empty"), "");
    call.respond(200, [], "verdict");
    assert.deepEqual(told(host).slice(-2), ["call 0 4", "response 4 200 0 verdict"]);
    assert.equal(text(client.take()), "decided");
    assert.deepEqual(host.httpCalls(), []);
    assert.throws(() => call.respond(200), /before/);
  });

  it("answers an HTTP call that is late by 504, and a reset one by no headers", async () => {
    const host = await load();
    const client = host.connect("a");
    client.send(encodeText("H"));
    host.advance(199);
    assert.equal(host.httpCalls().length, 1);
    host.advance(1);
    assert.deepEqual(told(host).slice(-1), ["response 4 504 0 upstream request timeout"]);
    client.send(encodeText("H"));
    host.httpCall().reset();
    assert.match(told(host).at(-1) ?? "", /^response 8 none 1 /);
  });

  it("refuses calls to clusters that are not there", async () => {
    const host = await load({ missingClusters: ["policy", "pipe"] });
    const client = host.connect("a");
    client.send(encodeText("H"));
    client.send(encodeText("G"));
    const [call, , stream] = told(host).slice(-3);
    assert.equal(call, "call 2 0");
    assert.match(stream ?? "", /^stream 4 /);
  });

  it("carries messages of a gRPC stream both ways, until it is closed", async () => {
    const host = await load();
    host.connect("a").send(encodeText("G"));
    const stream = host.grpcStream("pipe");
    assert.equal(stream.path, "hello/hello");
    assert.equal(stream.metadataOf("x-dns-cluster"), "up/a");
    assert.deepEqual(stream.takeAll().map(text), ["hello"]);
    stream.receive(encodeText("there"));
    stream.close(14, "gone");
    assert.deepEqual(told(host).slice(-2), ["received 6 there", "closed 6 14 0"]);
    assert.deepEqual(host.grpcStreams(), []);
  });

  it("counts", async () => {
    const host = await load();
    const client = host.connect("a");
    client.send(encodeText("M"));
    client.send(encodeText("M"));
    assert.equal(host.metrics.value("probe.count"), 6);
    assert.deepEqual(told(host).slice(-1), ["metric 0 2"]);
  });

  it("says where Envoy would end: a connection that is continued twice, by a guest that sees writes", async () => {
    const client = (await load()).connect("a");
    assert.throws(() => client.send(encodeText("D")), EnvoyCrash);
  });

  it("throws when the guest traps, and runs no more of it", async () => {
    const client = (await load()).connect("a");
    assert.throws(() => client.send(encodeText("X")), GuestTrap);
    assert.throws(() => client.send(encodeText("C")), /trapped before/);
  });

  describe("an HTTP request", () => {
    const plugins = [{ name: "a", configuration: "", allowOnHeadersStopIteration: true }];
    const headers: [string, string][] = [
      [":method", "POST"],
      [":path", "/dns-query"],
    ];

    it("is kept until its body is whole, and answered", async () => {
      const host = await load({ plugins });
      const request = host.request("a", headers);
      request.sendBody(encodeText("que"));
      request.sendBody(encodeText("ry"), true);
      const response = request.takeResponse();
      assert.equal(response.status, 200);
      assert.equal(text(response.body), "answer");
      assert.deepEqual(response.headers.at(-1), ["content-type", "application/dns-message"]);
      assert.deepEqual(told(host).slice(-6), [
        "headers 2 2 0",
        "body 2 que 0",
        "body 2 query 1",
        "response headers 2 0",
        "done 2",
        "delete 2",
      ]);
      assert.equal(request.takeForwarded().headers, undefined);
    });

    it("goes on to the router with headers and all of the body when the filter continues", async () => {
      const request = (await load({ plugins })).request("a", headers);
      request.sendBody(encodeText("F1"));
      assert.equal(request.takeForwarded().headers, undefined);
      request.sendBody(encodeText("2"), true);
      const { body, end } = request.takeForwarded();
      assert.equal(text(body), "F12");
      assert.equal(end, true);
    });

    it("has its body held back where a stop at the headers stops all", async () => {
      const host = await load();
      const request = host.request("a", headers);
      request.sendBody(encodeText("query"), true);
      assert.deepEqual(told(host).slice(-1), ["headers 2 2 0"]);
      assert.equal(request.takeResponse().status, undefined);
    });

    it("is refused with 413 when more is kept than the buffer's limit", async () => {
      const request = (await load({ plugins })).request("a", headers, { bufferLimit: 8 });
      request.sendBody(encodeText("12345678"));
      request.sendBody(encodeText("9"));
      assert.equal(request.takeResponse().status, 413);
    });
  });
});

describe("serialized pairs", () => {
  it("come back as they went", () => {
    const pairs: [string, string][] = [
      [":method", "GET"],
      ["x-octets", "\u0000\u00ff"],
      ["", ""],
    ];
    assert.deepEqual(decodePairs(encodePairs(pairs)), pairs);
  });

  it("are none where any octet of the form is missing", () => {
    const bytes = encodePairs([["name", "value"]]);
    for (let size = 0; size < bytes.length; size++) assert.deepEqual(decodePairs(bytes.slice(0, size)), []);
  });
});

describe("framings", () => {
  it("come back as they went", () => {
    const messages = [encodeText("one"), new Uint8Array(300), encodeText("")];
    assert.deepEqual(decodeTcp(encodeTcp(...messages)), messages);
    assert.deepEqual(decodeGrpc(encodeGrpc(...messages)), messages);
    assert.throws(() => decodeTcp(encodeTcp(...messages).slice(0, -1)), /left behind/);
  });
});
