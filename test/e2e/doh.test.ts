/**
 * DNS over HTTPS where it is more than carrying messages: statuses, lifetimes, sizes (RFC 8484).
 */
import { strict as assert } from "node:assert";
import { DNS_MESSAGE, type DohAsker, getDns, postDns, readDns } from "./clients/doh.ts";
import { encodeQuestion } from "./dns.ts";
import { type Opened, openDemo } from "./open-demo.ts";

describe("DNS over HTTPS", function () {
  this.timeout(60_000);
  let demo: Opened;
  before(async () => {
    demo = await openDemo();
  });
  after(() => demo.close());

  const versions: Record<string, () => Promise<DohAsker>> = {
    "HTTP/1.1": () => demo.ask.doh1("backend"),
    "HTTP/2": () => demo.ask.doh("backend"),
    "HTTP/3": () => demo.ask.doh3("backend"),
  };
  for (const [version, open] of Object.entries(versions)) {
    describe(version, () => {
      let client: DohAsker;
      before(async () => {
        client = await open();
      });
      after(() => client.close());

      const question = () => encodeQuestion("www.example.com", { id: 0 });
      const status = async (headers: Record<string, string>, body?: Buffer) =>
        (await client.request(headers, body)).status;
      const get = (path: string) => status({ ":method": "GET", ":path": path });
      const post = (type: string, body: Buffer) =>
        status({ ":method": "POST", ":path": "/dns-query", "content-type": type }, body);

      it("tells how long an answer lives, and that it is one client's", async () => {
        const response = await getDns(client, encodeQuestion("assets.example.com", { id: 0 }));
        const control = String(response.headers["cache-control"]);
        const age = Number(/^private, max-age=(\d+)$/.exec(control)?.[1]);
        const smallest = Math.min(...readDns(response).answers.map(({ ttl }) => ttl));
        assert.ok(Math.abs(age - smallest) <= 1, `expected a lifetime of ${smallest}, got ${control}`);
      });

      it("tells that a denial is not to be stored", async () => {
        const unknown = await postDns(client, encodeQuestion("nowhere.example.com", { id: 0, flags: 0 }));
        assert.equal(readDns(unknown).rcode, "REFUSED");
        assert.equal(unknown.headers["cache-control"], "no-store");
      });

      it("answers 400 to what is no DNS message", async () => {
        assert.equal(await get("/dns-query"), 400);
        assert.equal(await get("/dns-query?dns="), 400);
        assert.equal(await get("/dns-query?dns=AAAA"), 400);
        assert.equal(await get("/dns-query?dns=%21%21%21"), 400);
        assert.equal(await get(`/dns-query?dns=${question().toString("base64url")}=*`), 400);
        assert.equal(await post(DNS_MESSAGE, Buffer.from("short")), 400);
      });

      it("answers 404 to another path", async () => {
        assert.equal(await get(`/elsewhere?dns=${question().toString("base64url")}`), 404);
        assert.equal(await get("/"), 404);
      });

      it("answers 405 to another method", async () => {
        assert.equal(
          await status({ ":method": "PUT", ":path": "/dns-query", "content-type": DNS_MESSAGE }, question()),
          405,
        );
        assert.equal(await status({ ":method": "DELETE", ":path": "/dns-query" }), 405);
      });

      it("takes the longest message that there can be", async () => {
        const padding = Buffer.alloc(65_535 - question().length);
        assert.equal(await post(DNS_MESSAGE, Buffer.concat([question(), padding])), 200);
      });

      it("answers 413 to a message that is longer than any can be", async () => {
        assert.equal(await post(DNS_MESSAGE, Buffer.alloc(65_536)), 413);
      });

      it("answers 415 to another content type", async () => {
        assert.equal(await post("application/json", question()), 415);
      });

      it("takes padding and other parameters of a GET in any order", async () => {
        const encoded = question().toString("base64url");
        assert.equal(await get(`/dns-query?a=b&dns=${encoded}&c`), 200);
      });

      it("answers many requests of one connection", async () => {
        const answers = await Promise.all(
          Array.from({ length: 50 }, () => postDns(client, question()).then((response) => readDns(response).rcode)),
        );
        assert.deepEqual(new Set(answers), new Set(["NOERROR"]));
      });
    });
  }

  it("takes a GET of 12,000 octets over HTTP/2, and answers 431 to one beyond the header limit", async () => {
    const client = await demo.ask.doh("backend");
    const get = async (octets: number) => {
      const message = Buffer.concat([encodeQuestion("www.example.com", { id: 0 }), Buffer.alloc(octets)]);
      return (await client.request({ ":method": "GET", ":path": `/dns-query?dns=${message.toString("base64url")}` }))
        .status;
    };
    assert.equal(await get(11_900), 200);
    assert.equal(await get(13_000), 431);
    assert.equal(await get(0), 200, "the connection goes on");
    await client.close();
  });
});
