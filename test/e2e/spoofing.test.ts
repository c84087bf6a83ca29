/**
 * What a DoH client writes into its request makes it nobody else: not its headers, nor another spelling of a path.
 */
import { strict as assert } from "node:assert";
import { DNS_MESSAGE, type DohAsker, readDns } from "./clients/doh.ts";
import { encodeQuestion } from "./dns.ts";
import { Stack } from "./stack.ts";
import { TELLTALE_ZONE, telltalePolicy } from "./telltale.ts";

const tenants = {
  one: `{paths: ["/t/one/dns-query"], cidrs: ["127.0.1.0/24"]}`,
  two: `{paths: ["/t/two/dns-query"], cidrs: ["127.0.1.0/24"]}`,
  far: `{cidrs: ["10.0.0.0/8"]}`,
  certified: `{principals: ["spiffe://cluster.local/ns/web/sa/front"]}`,
  plain: `{cidrs: ["127.0.0.0/8"]}`,
};
const names = Object.keys(tenants);

const HEADERS: Record<string, string>[] = [
  { "x-forwarded-for": "10.0.0.1" },
  { "x-forwarded-for": "10.0.0.1, 10.0.0.2" },
  { forwarded: "for=10.0.0.1;by=127.0.0.1" },
  { "x-real-ip": "10.0.0.1", "true-client-ip": "10.0.0.1", "cf-connecting-ip": "10.0.0.1" },
  { "x-envoy-external-address": "10.0.0.1", "x-envoy-internal": "true" },
  { "x-envoy-original-path": "/t/one/dns-query", "x-envoy-original-dst-host": "10.0.0.1:53" },
  { "x-forwarded-path": "/t/one/dns-query", "x-original-url": "/t/one/dns-query" },
  { "x-forwarded-client-cert": "By=x;Hash=00;URI=spiffe://cluster.local/ns/web/sa/front" },
  { "x-dns-client": "10.0.0.1", "x-dns-path": "/t/one/dns-query", "x-dns-tenant": "one", "x-dns-cluster": "up/one" },
  { "x-dns-principal": "spiffe://cluster.local/ns/web/sa/front", "x-src": "10.0.0.1:53" },
];

/** Spellings of a path that are the same by RFC 3986, section 6.2.2: they may be refused, but are no other's. */
const SAME: [path: string, tenant: string][] = [
  ["/t/two/%2e%2e/one/dns-query", "one"],
  ["/t/two/.%2e/one/dns-query", "one"],
  ["/t/two/../one/dns-query", "one"],
  ["/t/one/dns-query/../../two/dns-query", "two"],
  ["/t/two/%2e/dns-query", "two"],
  ["/t/%6fne/dns-query", "one"],
];
/** These are not, however much they look like it. */
const OTHER = [
  "/t/one%2fdns-query",
  "/t%2Fone/dns-query",
  "/t/two%2f%2e%2e%2fone/dns-query",
  "/t/one%5cdns-query",
  "/t//one/dns-query",
  "//t/one/dns-query",
  "/t/one//dns-query",
  "//one/t/one/dns-query",
  "/t/two/%252e%252e/one/dns-query",
  "/t/one/%2e%2e/dns-query",
  "/t/one;two/dns-query",
  "/T/one/dns-query",
  "/t/one/dns-query%00",
  "/dns-query?/t/one/dns-query",
];

describe("a DoH client", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await Stack.start({ policy: telltalePolicy(tenants), upstreams: { public: { zone: TELLTALE_ZONE } } });
  });
  after(() => stack.stop());

  const versions: Record<string, () => Promise<DohAsker>> = {
    "HTTP/1.1": () => stack.ask.doh1(),
    "HTTP/2": () => stack.ask.doh(),
    "HTTP/3": () => stack.ask.doh3(),
  };
  for (const [version, open] of Object.entries(versions)) {
    describe(`by ${version}`, () => {
      let client: DohAsker;
      beforeEach(async () => {
        client = await open();
      });
      afterEach(() => client.close());

      /** The tenant that the request is taken for; "refused" where it is none of ours. */
      async function whoIs(path: string, headers: Record<string, string> = {}): Promise<string> {
        const denied: string[] = [];
        for (const name of names) {
          const request = { ":method": "POST", ":path": path, "content-type": DNS_MESSAGE, ...headers };
          const response = await client.request(request, encodeQuestion(`${name}.org`));
          if (response.status === 400 || response.status === 404) return "refused";
          if (readDns(response).rcode === "NXDOMAIN") denied.push(name);
        }
        return denied.join(", ");
      }

      it("is who its path and address make it", async () => {
        assert.equal(await whoIs("/dns-query"), "plain");
        assert.equal(await whoIs("/t/one/dns-query"), "one");
        assert.equal(await whoIs("/t/two/dns-query"), "two");
      });

      it("is nobody else by its headers", async () => {
        for (const headers of HEADERS)
          assert.equal(await whoIs("/dns-query", headers), "plain", JSON.stringify(headers));
      });

      it("is nobody else by another spelling of a path", async () => {
        for (const [path, tenant] of SAME) {
          const found = await whoIs(path);
          assert.ok([tenant, "plain", "refused"].includes(found), `${path}: expected ${tenant}, got ${found}`);
        }
        for (const path of OTHER) {
          const found = await whoIs(path);
          assert.ok(["plain", "refused"].includes(found), `${path}: expected no tenant of a path, got ${found}`);
        }
      });
    });
  }
});
