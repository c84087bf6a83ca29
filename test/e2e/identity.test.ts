/**
 * Who asks: a certificate's name before an address, on every transport that has one, and nobody else's.
 */
import { strict as assert } from "node:assert";
import { writeFile } from "node:fs/promises";
import { Authority } from "../../demo/certificates.ts";
import { type DohAsker, postDns, readDns } from "./clients/doh.ts";
import { StreamClient } from "./clients/stream.ts";
import { type Answer, encodeQuestion } from "./dns.ts";
import { Stack } from "./stack.ts";
import { TELLTALE_ZONE, telltalePolicy } from "./telltale.ts";

const tenants = {
  web: '{principals: ["spiffe://cluster.local/ns/web/sa/*"]}',
  shop: '{principals: ["spiffe://cluster.local/ns/shop/sa/till"]}',
  named: '{serverNames: ["frontend.dns.example"], cidrs: ["127.0.1.0/24"]}',
  pathed: '{paths: ["/t/pathed/dns-query"], cidrs: ["127.0.2.0/24"]}',
  plain: '{cidrs: ["127.0.0.0/8"]}',
};

describe("identity", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await Stack.start({ policy: telltalePolicy(tenants), upstreams: { public: { zone: TELLTALE_ZONE } } });
  });
  after(() => stack.stop());

  type Ask = (question: Buffer) => Promise<Answer>;

  /** The tenant that the asker is taken for. */
  async function whoIs(ask: Ask): Promise<string> {
    const denied: string[] = [];
    for (const tenant of Object.keys(tenants))
      if ((await ask(encodeQuestion(`${tenant}.org`))).rcode === "NXDOMAIN") denied.push(tenant);
    return denied.join(", ");
  }

  /** By every transport that has certificates. */
  async function whoIsOverTls(uris: string[], signer?: Authority): Promise<Record<string, string>> {
    const identity = await stack.certificates.client(uris, signer);
    const found: Record<string, string> = {};
    const dot = await stack.ask.dot("frontend", identity);
    found.dot = await whoIs((question) => dot.ask(question));
    dot.close();
    const clients: Record<string, () => Promise<DohAsker>> = {
      doh: () => stack.ask.doh("frontend", identity),
      doh3: () => stack.ask.doh3("frontend", identity),
    };
    for (const [name, open] of Object.entries(clients)) {
      const client = await open();
      found[name] = await whoIs(async (question) => readDns(await postDns(client, question)));
      await client.close();
    }
    return found;
  }

  const overAll = (tenant: string) => ({ dot: tenant, doh: tenant, doh3: tenant });

  it("is the address where there is nothing else", async () => {
    assert.equal(await whoIs((question) => stack.ask.udp(question)), "plain");
    const tcp = await stack.ask.tcp();
    assert.equal(await whoIs((question) => tcp.ask(question)), "plain");
    tcp.close();
  });

  it("is the certificate's name before the address", async () => {
    assert.deepEqual(await whoIsOverTls(["spiffe://cluster.local/ns/web/sa/front"]), overAll("web"));
    assert.deepEqual(await whoIsOverTls(["spiffe://cluster.local/ns/shop/sa/till"]), overAll("shop"));
  });

  it("is not a name that only looks like it", async () => {
    for (const uri of ["spiffe://cluster.local/ns/shop/sa/till2", "spiffe://other.local/ns/web/sa/front"])
      assert.deepEqual(await whoIsOverTls([uri]), overAll("plain"), uri);
  });

  it("is nobody's name where a certificate has two", async () => {
    const two = ["spiffe://cluster.local/ns/web/sa/front", "spiffe://cluster.local/ns/shop/sa/till"];
    assert.deepEqual(await whoIsOverTls(two), overAll("plain"));
  });

  it("refuses a certificate of another authority", async () => {
    const stranger = await Authority.create("stranger");
    const identity = await stack.certificates.client(["spiffe://cluster.local/ns/web/sa/front"], stranger);
    const ask = async () => {
      const client = await stack.ask.dot("frontend", identity);
      await client.ask(encodeQuestion("web.org"), 2000);
    };
    await assert.rejects(ask);
  });

  it("is narrowed by the server name that the client asked for", async () => {
    const { host, ports, ca } = stack.target;
    const open = (servername: string, from: string) =>
      StreamClient.open({ host, port: ports.dot }, { from, tls: { ca, servername } });
    for (const [name, from, tenant] of [
      ["frontend.dns.example", "127.0.1.1", "named"],
      ["backend.dns.example", "127.0.1.1", "plain"],
      ["frontend.dns.example", "127.0.2.1", "plain"],
    ] as const) {
      const client = await open(name, from);
      assert.equal(await whoIs((question) => client.ask(question)), tenant, `${name} from ${from}`);
      client.close();
    }
  });

  it("is narrowed by the path of the request, each request for itself", async () => {
    for (const client of [await stack.ask.doh("backend"), await stack.ask.doh3("backend")]) {
      const ask =
        (path: string): Ask =>
        async (question) =>
          readDns(await postDns(client, question, path));
      assert.equal(await whoIs(ask("/t/pathed/dns-query")), "pathed");
      assert.equal(await whoIs(ask("/dns-query")), "plain");
      assert.equal(await whoIs(ask("/t/pathed/dns-query")), "pathed");
      await client.close();
    }
  });

  it("is not what a client's headers say", async () => {
    const client = await stack.ask.doh("frontend");
    const forged = {
      "x-forwarded-for": "10.0.0.1",
      "x-dns-principal": "spiffe://cluster.local/ns/web/sa/x",
      "x-dns-client": "10.0.0.1",
    };
    const ask: Ask = async (question) =>
      readDns(
        await client.request(
          { ":method": "POST", ":path": "/dns-query", "content-type": "application/dns-message", ...forged },
          question,
        ),
      );
    assert.equal(await whoIs(ask), "plain");
    await client.close();
  });

  it("of many connections at once is each one's own", async () => {
    const identity = await stack.certificates.client(["spiffe://cluster.local/ns/web/sa/front"]);
    const [web, plain] = [await stack.ask.dot("frontend", identity), await stack.ask.dot("frontend")];
    const questions = Array.from({ length: 30 }, () => encodeQuestion("web.org"));
    const answers = await Promise.all(questions.map((question, index) => (index % 2 ? web : plain).ask(question)));
    assert.deepEqual(
      answers.map(({ rcode }) => rcode),
      questions.map((_, index) => (index % 2 ? "NXDOMAIN" : "NOERROR")),
    );
    web.close();
    plain.close();
  });
});

describe("identity in several trust domains", function () {
  this.timeout(60_000);
  let stack: Stack;
  let others: Authority;
  before(async () => {
    others = await Authority.create("others");
    stack = await Stack.start({
      policy: telltalePolicy({
        here: '{principals: ["spiffe://cluster.local/ns/web/sa/*"]}',
        there: '{principals: ["spiffe://other.example/ns/web/sa/*"]}',
      }),
      upstreams: { public: { zone: TELLTALE_ZONE } },
      bootstrap: async ({ caFile, server }) => {
        await writeFile(`${caFile}.others`, others.certificate);
        const trustDomains = [
          { name: "cluster.local", ca: caFile },
          { name: "other.example", ca: `${caFile}.others` },
        ];
        return { tls: { certificate: server.certFile, key: server.keyFile, trustDomains } };
      },
    });
  });
  after(() => stack.stop());

  /** The tenant by DoT, DoH and DoH3, which must agree. */
  async function whoIs(uri: string, signer: Authority): Promise<string> {
    const identity = await stack.certificates.client([uri], signer);
    const clients = [await stack.ask.doh("frontend", identity), await stack.ask.doh3("frontend", identity)];
    const dot = await stack.ask.dot("frontend", identity);
    const ways = [(question: Buffer) => dot.ask(question)];
    for (const client of clients) ways.push(async (question) => readDns(await postDns(client, question)));
    const found = new Set<string>();
    for (const ask of ways)
      for (const name of ["here", "there"])
        if ((await ask(encodeQuestion(`${name}.org`))).rcode === "NXDOMAIN") found.add(name);
    dot.close();
    for (const client of clients) await client.close();
    return [...found].join(", ");
  }

  it("is of the domain whose authority signed it", async () => {
    assert.equal(await whoIs("spiffe://cluster.local/ns/web/sa/front", stack.certificates.authority), "here");
    assert.equal(await whoIs("spiffe://other.example/ns/web/sa/front", others), "there");
  });

  it("is not of another domain than its authority's", async () => {
    for (const [uri, signer] of [
      ["spiffe://cluster.local/ns/web/sa/front", others],
      ["spiffe://other.example/ns/web/sa/front", stack.certificates.authority],
      ["spiffe://third.example/ns/web/sa/front", others],
    ] as const) {
      const identity = await stack.certificates.client([uri], signer);
      const overDot = async () => (await stack.ask.dot("frontend", identity)).ask(encodeQuestion("www.org"), 2000);
      const overDoh = async () => postDns(await stack.ask.doh("frontend", identity), encodeQuestion("www.org"));
      const overDoh3 = async () => postDns(await stack.ask.doh3("frontend", identity), encodeQuestion("www.org"));
      for (const ask of [overDot, overDoh, overDoh3]) await assert.rejects(ask, `${uri} by ${ask.name}`);
    }
  });
});
