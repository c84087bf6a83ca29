import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import { decode, encode, type Packet, RECURSION_DESIRED } from "dns-packet";
import { Authority, type Identity } from "../../demo/certificates.ts";
import { Upstream } from "../../demo/upstream.ts";
import { parseZone } from "../../demo/zone.ts";

const long = `"${"x".repeat(250)}"`;
const zone = parseZone(
  `example. SOA ns.example. h.example. 1 2 3 4 5\nwww.example. A 192.0.2.1\nbig.example. TXT ${long} ${long} ${long}\n`,
);

function question(name: string, id = 7, type: "A" | "TXT" = "A"): Buffer {
  return encode({ type: "query", id, flags: RECURSION_DESIRED, questions: [{ name, type }] });
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

async function readMessage(socket: Socket): Promise<Packet> {
  let read = Buffer.alloc(0);
  while (read.length < 2 || read.length < 2 + read.readUInt16BE(0)) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    read = Buffer.concat([read, chunk]);
  }
  return decode(read.subarray(2));
}

function addresses(packet: Packet): unknown[] {
  return (packet.answers ?? []).map((answer) => ("data" in answer ? answer.data : ""));
}

describe("Local upstream", () => {
  let authority: Authority;
  let server: Identity;
  let upstream: Upstream;

  before(async () => {
    authority = await Authority.create("test");
    server = await authority.server({ names: ["dns.upstream.example"], addresses: ["127.0.0.1"] });
  });

  beforeEach(async () => {
    upstream = new Upstream({ zone, tls: server, ports: { udp: 0, tcp: 0, dot: 0, doh: 0 } });
    await upstream.start();
  });

  afterEach(() => upstream.stop());

  async function openDot(): Promise<TLSSocket> {
    const socket = connectTls({
      port: upstream.ports.dot ?? 0,
      host: "127.0.0.1",
      ca: authority.certificate,
      ALPNProtocols: ["dot"],
      checkServerIdentity: (_, certificate) => checkServerIdentity("dns.upstream.example", certificate),
    });
    await once(socket, "secureConnect");
    return socket;
  }

  it("answers over UDP, cut short where it does not fit", async () => {
    const socket = createSocket("udp4");
    socket.send(question("www.example"), upstream.ports.udp ?? 0, "127.0.0.1");
    assert.deepEqual(addresses(decode(((await once(socket, "message")) as [Buffer])[0])), ["192.0.2.1"]);
    socket.send(question("big.example", 8, "TXT"), upstream.ports.udp ?? 0, "127.0.0.1");
    const cut = decode(((await once(socket, "message")) as [Buffer])[0]);
    assert.deepEqual([cut.flag_tc, cut.answers?.length], [true, 0]);
    socket.close();
  });

  it("answers over TCP, many questions on one connection", async () => {
    const socket = connect(upstream.ports.tcp ?? 0, "127.0.0.1");
    for (const id of [1, 2, 3]) {
      socket.write(framed(question("www.example", id)));
      const answer = await readMessage(socket);
      assert.deepEqual([answer.id, addresses(answer)], [id, ["192.0.2.1"]]);
    }
    socket.destroy();
    assert.deepEqual([upstream.connections.tcp, upstream.queries.tcp], [1, 3]);
  });

  it("answers over DoT, with a certificate that verifies", async () => {
    const socket = await openDot();
    assert.equal(socket.alpnProtocol, "dot");
    socket.write(framed(question("missing.example")));
    assert.equal(((await readMessage(socket)).flags ?? 0) & 0xf, 3);
    socket.destroy();
  });

  it("answers over DoH, POST and GET, and refuses the rest", async () => {
    const session = connectHttp2(`https://127.0.0.1:${upstream.ports.doh}`, { ca: authority.certificate });
    const send = async (headers: Record<string, string>, body?: Buffer): Promise<[number, Buffer]> => {
      const stream = session.request(headers);
      stream.end(body);
      const [response] = (await once(stream, "response")) as [Record<string, unknown>];
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return [Number(response[":status"]), Buffer.concat(chunks)];
    };
    const message = question("www.example", 0);
    const post = await send({ ":method": "POST", ":path": "/dns-query" }, message);
    const get = await send({ ":method": "GET", ":path": `/dns-query?dns=${message.toString("base64url")}` });
    assert.deepEqual(addresses(decode(post[1])), ["192.0.2.1"]);
    assert.deepEqual(get, post);
    assert.equal((await send({ ":method": "GET", ":path": "/other" }))[0], 404);
    assert.equal((await send({ ":method": "PUT", ":path": "/dns-query" }))[0], 405);
    session.close();
  });

  it("says what its hook says, or nothing, and can be made to hang up", async () => {
    upstream.hooks = {
      answer: ({ name, disconnect }, truth) => {
        if (name === "hang.example") disconnect();
        return name === "www.example" ? [Buffer.from("lie"), truth] : undefined;
      },
    };
    const socket = await openDot();
    socket.write(framed(question("silent.example", 1)));
    socket.write(framed(question("www.example", 2)));
    const [chunk] = (await once(socket, "data")) as [Buffer];
    assert.equal(chunk.subarray(2, 5).toString(), "lie");
    socket.on("error", () => {});
    socket.write(framed(question("hang.example", 3)));
    await once(socket, "close");
  });

  it("gives no answer to what is no question", async () => {
    const socket = connect(upstream.ports.tcp ?? 0, "127.0.0.1");
    socket.write(framed(Buffer.from("garbage")));
    socket.write(framed(question("www.example", 9)));
    assert.equal((await readMessage(socket)).id, 9);
    socket.destroy();
  });

  it("leaves nothing open when a port is taken", async () => {
    const second = new Upstream({ zone, ports: { udp: 0, tcp: upstream.ports.tcp ?? 0 } });
    await assert.rejects(second.start(), /EADDRINUSE/);
  });
});
