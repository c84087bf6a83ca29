/** DNS over HTTPS on the fake host: what is a DNS request and what is refused, with the built filter. */
import { strict as assert } from "node:assert";
import { decodeAnswer, encodeQuestion } from "../../e2e/dns.ts";
import type { Headers } from "../../host/abi.ts";
import { headerOf } from "../../host/callouts.ts";
import { SeededRandom } from "../../host/clock.ts";
import { Host } from "../../host/host.ts";
import type { HttpStream } from "../../host/http-stream.ts";
import { filterWasm } from "../../host/wasm.ts";

const DNS_MESSAGE = "application/dns-message";
/** Without RD: answered REFUSED at once, by nobody but the filter. */
const question = (name = "www.example.org") => encodeQuestion(name, { flags: 0 });

describe("DNS over HTTPS", () => {
  let host: Host;
  beforeEach(async () => {
    host = await Host.load(filterWasm, {
      vmConfiguration: "node=test\nconcurrency=1",
      plugins: [
        { name: "doh", configuration: "role=doh\ntransport=doh\nlistener=doh", allowOnHeadersStopIteration: true },
      ],
    });
  });

  const request = (headers: Headers, end: boolean): HttpStream =>
    host.request("doh", [...headers, [":scheme", "https"], [":authority", "dns.example"]], {
      end,
      properties: { "source.address": "192.0.2.1:4000" },
    });
  const get = (path: string, method = "GET") =>
    request(
      [
        [":method", method],
        [":path", path],
      ],
      true,
    ).takeResponse();
  const post = (type: string | undefined = DNS_MESSAGE, more: Headers = [], end = false) =>
    request([[":method", "POST"], [":path", "/dns-query"], ["content-type", type], ...more], end);
  /** The status, and the name that was read. */
  const read = ({ status, body }: { status: number | undefined; body: Uint8Array }) => ({
    status,
    name: body.length > 0 ? decodeAnswer(body).question?.name : undefined,
  });
  const REFUSED = { status: 200, name: "www.example.org" };

  it("reads GET's base64url at every length modulo four (RFC 8484, section 4.1.1)", () => {
    const random = new SeededRandom(1);
    for (let times = 0; times < 200; times++) {
      const name = "abcdefghijklmnopqrstuvwxyz-0123456789".slice(random.below(30), 31 + random.below(6));
      const message = question(`${name}.example.org`);
      // Ids make every character appear.
      message.writeUInt16BE(random.below(65_536), 0);
      const { status, body, headers, end } = get(`/dns-query?dns=${message.toString("base64url")}`);
      assert.deepEqual([status, end], [200, true]);
      const answer = decodeAnswer(body);
      assert.deepEqual([answer.id, answer.rcode], [message.readUInt16BE(0), "REFUSED"]);
      assert.equal(answer.question?.name, `${name}.example.org`);
      assert.equal(headerOf(headers, "content-type"), DNS_MESSAGE);
      assert.equal(headerOf(headers, "cache-control"), "no-store");
    }
  });

  it("finds the parameter among others, and takes the first", () => {
    const dns = `dns=${question().toString("base64url")}`;
    for (const query of [`a=b&${dns}`, `${dns}&a=b`, `dnsx=1&xdns=2&${dns}`, `&&${dns}&`, `${dns}&dns=`])
      assert.deepEqual(read(get(`/dns-query?${query}`)), REFUSED, query);
  });

  it("has any path that ends in /dns-query, and no other", () => {
    const dns = `?dns=${question().toString("base64url")}`;
    for (const path of ["/dns-query", "/tenant-a/dns-query", "/a/b/dns-query"])
      assert.deepEqual(read(get(path + dns)), REFUSED, path);
    for (const path of ["/", "", "/dns-query/", "/dns-queryx", "/DNS-QUERY", "dns-query", "/x?/dns-query"]) {
      const { status, body, end } = get(path + dns);
      assert.deepEqual([status, body.length, end], [404, 0, true], path);
    }
  });

  it("answers 400 to what is no message, and no base64url", () => {
    const text = question().toString("base64url");
    const wrong = [
      "",
      "?",
      "?dns",
      "?dns=",
      "?dns=A",
      "?dns=AAAA",
      `?dns=${text}=`,
      `?dns=${text}%3D`,
      `?dns=${text}A`,
    ];
    wrong.push(`?dns=${text.slice(1)}+`, `?dns=${text.slice(1)}/`, `?dns=${text.slice(1)}.`, `?DNS=${text}`);
    for (const query of wrong) assert.equal(get(`/dns-query${query}`).status, 400, query);
    // A response is a question to nobody.
    const response = question();
    response.writeUInt8(0x80, 2);
    assert.equal(get(`/dns-query?dns=${response.toString("base64url")}`).status, 400);
  });

  it("answers FORMERR to a message that is malformed, and not 400", () => {
    const { status, body } = get(`/dns-query?dns=${Buffer.alloc(12).toString("base64url")}`);
    assert.deepEqual([status, decodeAnswer(body).rcode], [200, "FORMERR"]);
  });

  it("answers 413 to more text than a message has", () => {
    const long = "A".repeat(87_380);
    assert.equal(get(`/dns-query?dns=${long}`).status, 200);
    assert.equal(get(`/dns-query?dns=${long}A`).status, 413);
  });

  it("reads POST's body, in whatever pieces it comes", () => {
    const message = question();
    for (const chunk of [1, 2, 7, message.length]) {
      const stream = post();
      for (let at = 0; at < message.length; at += chunk) {
        assert.equal(stream.takeResponse().status, undefined, "not before the end");
        stream.sendBody(message.subarray(at, at + chunk), at + chunk >= message.length);
      }
      assert.deepEqual(read(stream.takeResponse()), REFUSED, `pieces of ${chunk}`);
      assert.ok(stream.over);
    }
    const late = post();
    late.sendBody(message);
    late.sendBody(new Uint8Array(), true);
    assert.deepEqual(read(late.takeResponse()), REFUSED, "the end comes alone");
  });

  it("answers 400 to a POST without a message", () => {
    assert.equal(post(DNS_MESSAGE, [], true).takeResponse().status, 400);
    for (const size of [0, 1, 11]) {
      const stream = post();
      stream.sendBody(new Uint8Array(size), true);
      assert.equal(stream.takeResponse().status, 400);
    }
  });

  it("answers 405 to other methods, and says which there are", () => {
    const path = `/dns-query?dns=${question().toString("base64url")}`;
    for (const method of ["HEAD", "PUT", "DELETE", "OPTIONS", "get", "POS", "GETT", ""]) {
      const { status, headers } = get(path, method);
      assert.equal(status, 405, method);
      assert.equal(headerOf(headers, "allow"), "GET, POST");
    }
    assert.equal(get(path, "POST").status, 415, "POST, but of no type");
  });

  it("answers 415 to a body that is no DNS message", () => {
    for (const type of [
      "",
      "application/dns-json",
      "application/dns-messages",
      "text/plain",
      "application/dns-messag",
    ]) {
      const stream = post(type);
      assert.equal(stream.takeResponse().status, 415, type);
      assert.ok(stream.over);
    }
  });

  it("answers 413 to a body that is larger than a message, announced or not", () => {
    for (const [length, status] of [
      ["65535", undefined],
      ["65536", 413],
      ["4294967296", 413],
      ["99999999999999999999", 413],
      ["-1", 413],
      ["abc", 413],
    ] as const)
      assert.equal(post(DNS_MESSAGE, [["content-length", length]]).takeResponse().status, status, length);
    const stream = post();
    stream.sendBody(new Uint8Array(65_535));
    assert.equal(stream.takeResponse().status, undefined);
    stream.sendBody(new Uint8Array(1));
    assert.equal(stream.takeResponse().status, 413);
  });

  it("forgets requests that are over, answered or reset", () => {
    for (let times = 0; times < 50; times++) {
      get(`/dns-query?dns=${question().toString("base64url")}`);
      get("/");
      post().reset();
    }
    assert.equal(host.liveContexts, 0);
  });
});
