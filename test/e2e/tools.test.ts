/**
 * The tests' own tools against each other: clients of every transport and the scripted upstream.
 */
import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates, type TestCertificates, UPSTREAM_NAME } from "./certificates.ts";
import { DohClient, getDns, postDns, readDns } from "./clients/doh.ts";
import { StreamClient } from "./clients/stream.ts";
import { decodeAnswer, describeAnswer, encodeQuestion } from "./dns.ts";
import { encodeReply, parseRecord } from "./records.ts";
import { ScriptedUpstream } from "./upstream.ts";

const ZONE = `
www.example.org 300 A 192.0.2.1
alias.example.org 300 CNAME www.example.org
*.wild.example.org 60 TXT "any"
mail.example.org 60 MX 10 mx.example.org
`;

describe("test tools", () => {
  let directory: string;
  let certificates: TestCertificates;
  let upstream: ScriptedUpstream;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "dnspolicy-tools-"));
    certificates = await makeCertificates(directory);
    upstream = await ScriptedUpstream.start({ tls: certificates.upstream, zone: ZONE });
  });
  beforeEach(() => upstream.reset());
  after(async () => {
    await upstream.stop();
    await rm(directory, { recursive: true });
  });

  const tls = () => ({ ca: certificates.ca, servername: UPSTREAM_NAME });
  const at = (port: number) => ({ host: "127.0.0.1", port });

  it("ask over TCP, and get aliases with their targets", async () => {
    const client = await StreamClient.open(at(upstream.ports.tcp));
    const answer = await client.ask(encodeQuestion("alias.example.org"));
    assert.equal(
      describeAnswer(answer),
      "NOERROR; alias.example.org CNAME www.example.org; www.example.org A 192.0.2.1",
    );
    client.close();
    assert.deepEqual([...upstream.names], ["alias.example.org"]);
  });

  it("pipeline over TLS, and see late answers come late", async () => {
    upstream.script = (asked) => ({
      ...upstream.truth(asked),
      ...(asked.name === "x.wild.example.org" ? { delayMs: 50 } : {}),
    });
    const client = await StreamClient.open(at(upstream.ports.dot), { tls: tls() });
    const questions = [
      encodeQuestion("x.wild.example.org", { id: 1, type: "TXT" }),
      encodeQuestion("nowhere.example.org", { id: 2 }),
    ];
    const answers = await client.askAll(questions);
    assert.deepEqual(answers.map(describeAnswer), ["NOERROR; x.wild.example.org TXT any", "NXDOMAIN"]);
    assert.deepEqual(client.order, [2, 1]);
    client.close();
  });

  it("refuse a server whose certificate is another's", async () => {
    const wrong = { ...tls(), servername: "another.example" };
    await assert.rejects(StreamClient.open(at(upstream.ports.dot), { tls: wrong }), /altnames/);
  });

  it("ask over HTTPS by GET and POST", async () => {
    const client = await DohClient.open(at(upstream.ports.doh), { tls: tls() });
    const question = encodeQuestion("mail.example.org", { type: "MX" });
    for (const response of [await getDns(client, question), await postDns(client, question)])
      assert.match(describeAnswer(readDns(response)), /^NOERROR; mail\.example\.org MX .*mx\.example\.org/);
    await client.close();
  });

  it("read Extended DNS Errors, flags and padding", () => {
    const option = (code: number, data: Buffer) => ({ code, data });
    const ede = option(15, Buffer.concat([Buffer.from([0, 15]), Buffer.from("why")]));
    const wire = encodeQuestion("a.example", { id: 5, options: [ede], padding: 12, edns: 1400 });
    const answer = decodeAnswer(wire);
    assert.deepEqual(answer.ede, [{ code: 15, text: "why" }]);
    assert.equal(answer.padding, 12);
    assert.equal(answer.edns, 1400);
  });

  it("tell a reply whatever a script wants", () => {
    const query = { id: 7, flags: 0x0100, questions: [{ name: "a.example", type: "A" as const }] };
    const answer = decodeAnswer(
      encodeReply(query, { id: 8, rcode: 5, answers: [parseRecord("b.example 5 A 192.0.2.9")] }),
    );
    assert.equal(answer.id, 8);
    assert.equal(describeAnswer(answer), "REFUSED; b.example A 192.0.2.9");
  });
});
