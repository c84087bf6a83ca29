/**
 * A balancer tells whose connection it brings by the PROXY protocol, on a listener of its own: balancers are believed,
 * and nobody else (HAProxy's proxy-protocol.txt, sections 2.1 and 2.2).
 */
import { strict as assert } from "node:assert";
import { within } from "./clients/deadline.ts";
import { StreamClient } from "./clients/stream.ts";
import { encodeQuestion } from "./dns.ts";
import { freePort } from "./ports.ts";
import { CLIENTS, Stack } from "./stack.ts";
import { TELLTALE_ZONE, telltalePolicy } from "./telltale.ts";

const BALANCER = "127.0.5.1";
const tenants = { frontend: "127.0.1.0/24", backend: "127.0.2.0/24", six: "2001:db8::/32", balancer: `${BALANCER}/32` };
const policy = telltalePolicy(
  Object.fromEntries(
    Object.entries({ ...tenants, platform: "127.0.3.0/24" }).map(([name, block]) => [name, `{cidrs: ["${block}"]}`]),
  ),
);

const version1 = (words: string): Buffer => Buffer.from(`PROXY ${words}\r\n`);

/** Version 2: PROXY (1) or LOCAL (0); family and protocol; addresses, ports, and what else there is. */
function version2(command: 0 | 1, family: number, rest: Buffer): Buffer {
  const head = Buffer.from([...Buffer.from("\r\n\r\n\0\r\nQUIT\n"), 0x20 | command, family, 0, rest.length]);
  return Buffer.concat([head, rest]);
}

const ports = Buffer.from([0x0f, 0xa0, 0, 53]);
const ipv4 = (address: string) => Buffer.from(address.split(".").map(Number));
const ipv6 = Buffer.from("20010db8000000000000000000000001", "hex");
const TCP4 = 0x11;
const TCP6 = 0x21;
/** A TLV of a balancer's own (PP2_TYPE_MIN_CUSTOM). */
const TLV = Buffer.from([0xe0, 0, 3, 1, 2, 3]);

describe("behind a balancer", function () {
  this.timeout(60_000);
  let stack: Stack;
  let port: number;
  before(async () => {
    port = await freePort();
    const bootstrap = { proxied: { port, balancers: ["127.0.5.0/24"] } };
    stack = await Stack.start({ policy, upstreams: { public: { zone: TELLTALE_ZONE } }, bootstrap });
  });
  after(() => stack.stop());

  /** The tenant that a connection from this address, begun by these octets, is taken for. */
  async function whoIs(from: string, header: Buffer): Promise<string> {
    const client = await StreamClient.open({ host: "127.0.0.1", port }, { from });
    client.write(header);
    const names = Object.keys(tenants);
    const answers = await client.askAll(names.map((name) => encodeQuestion(`${name}.org`)));
    client.close();
    return names.filter((_, index) => answers[index]?.rcode === "NXDOMAIN").join(", ");
  }

  /** A connection from there, begun by these octets, is ended, and nothing is said on it. */
  async function getsNothing(from: string, header: Buffer): Promise<void> {
    const client = await StreamClient.open({ host: "127.0.0.1", port }, { from });
    client.write(header);
    client.send(encodeQuestion("www.org"));
    await within(5000, "the end of the connection", client.closed);
    assert.equal(client.socket.bytesRead, 0);
    client.close();
  }

  it("the client is whom version 1 names", async () => {
    assert.equal(await whoIs(BALANCER, version1(`TCP4 ${CLIENTS.frontend} 127.0.0.1 4000 53`)), "frontend");
    assert.equal(await whoIs(BALANCER, version1(`TCP4 ${CLIENTS.backend} 127.0.0.1 4000 53`)), "backend");
    assert.equal(await whoIs(BALANCER, version1("TCP6 2001:db8::1 2001:db8::2 4000 53")), "six");
  });

  it("the client is whom version 2 names, whatever else the balancer says", async () => {
    const from = (address: string) => Buffer.concat([ipv4(address), ipv4("127.0.0.1"), ports]);
    assert.equal(await whoIs(BALANCER, version2(1, TCP4, from(CLIENTS.frontend))), "frontend");
    assert.equal(await whoIs(BALANCER, version2(1, TCP4, Buffer.concat([from(CLIENTS.backend), TLV]))), "backend");
    assert.equal(await whoIs(BALANCER, version2(1, TCP6, Buffer.concat([ipv6, ipv6, ports]))), "six");
  });

  it("the client is the balancer where it speaks for itself", async () => {
    assert.equal(await whoIs(BALANCER, version1("UNKNOWN")), "balancer");
    assert.equal(await whoIs(BALANCER, version2(0, 0, Buffer.alloc(0))), "balancer");
  });

  it("another peer is not listened to, whomever it names", async () => {
    const names = [CLIENTS.frontend, BALANCER, CLIENTS.nobody];
    for (const name of names) await getsNothing(CLIENTS.nobody, version1(`TCP4 ${name} 127.0.0.1 4000 53`));
    const address = Buffer.concat([ipv4(CLIENTS.frontend), ipv4("127.0.0.1"), ports]);
    await getsNothing(CLIENTS.frontend, version2(1, TCP4, address));
    assert.deepEqual([...(await stack.stats(/^tcp_proxied\.rbac\.denied$/)).values()], [names.length + 1]);
  });

  it("a client that says nothing of the kind gets nothing, not even from a balancer's address", async () => {
    for (const from of [CLIENTS.frontend, BALANCER]) await getsNothing(from, Buffer.alloc(0));
  });

  it("is not believed on the listeners of clients", async () => {
    const clients = [await stack.ask.tcp("frontend"), await stack.ask.dot("frontend")];
    for (const client of clients) client.write(version1(`TCP4 ${CLIENTS.backend} 127.0.0.1 4000 53`));
    for (const client of clients) {
      client.send(encodeQuestion("www.org"));
      await within(5000, "the end of the connection", client.closed);
      assert.deepEqual(client.order, []);
    }
  });
});
