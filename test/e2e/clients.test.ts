/**
 * What real clients see: dig, kdig, curl and dnsperf against the demo's policy and zone.
 */
import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeQuestion } from "./dns.ts";
import { type Opened, openDemo } from "./open-demo.ts";
import { command } from "./tools.ts";

describe("real clients", function () {
  this.timeout(60_000);
  let demo: Opened;
  before(async () => {
    demo = await openDemo();
  });
  after(() => demo.close());

  const dig = (client: keyof Opened["target"]["clients"], ...values: (string | number)[]) => {
    const { clients, host, ports } = demo.target;
    return command("dig", "-b", clients[client], `@${host}`, "-p", ports.udp, "+tries=1", ...values);
  };
  const kdig = (port: "dot" | "doh", ...values: (string | number)[]) => {
    const { clients, host, ports, caFile, serverName } = demo.target;
    const tls = [`+tls-ca=${caFile}`, `+tls-hostname=${serverName}`];
    return command("kdig", "-b", clients.backend, `@${host}`, "-p", ports[port], ...tls, ...values);
  };

  it("dig is denied with an EDE and an SOA where policy says so", async () => {
    const output = await dig("frontend", "www.example.com");
    assert.match(output, /status: NXDOMAIN/);
    assert.match(output, /EDE: 15 \(Blocked\)/);
    assert.match(output, /^com\.\s+30\s+IN\s+SOA/m);
  });

  it("dig is answered where policy lets it", async () => {
    assert.match(await dig("backend", "www.example.com", "+short"), /^192\.0\.2\.80$/m);
  });

  it("dig asks again over TCP what was truncated over UDP", async () => {
    const truncated = await dig("backend", "big.example.org", "TXT", "+ignore");
    assert.match(truncated, /flags:[^;]* tc/);
    const whole = await dig("backend", "big.example.org", "TXT");
    assert.match(whole, /Truncated, retrying in TCP mode/);
    assert.equal(whole.match(/IN\s+TXT\s+"/g)?.length, 6);
  });

  it("dig without EDNS is given no OPT record", async () => {
    assert.doesNotMatch(await dig("backend", "www.example.com", "+noedns"), /OPT PSEUDOSECTION/);
  });

  it("dig is told that classes other than IN and transfers are refused", async () => {
    assert.match(await dig("backend", "version.bind", "CH", "TXT"), /status: REFUSED/);
    assert.match(await dig("backend", "example.com", "AXFR"), /Transfer failed|status: REFUSED|REFUSED/);
  });

  it("kdig is answered over TLS, with padding where it padded", async () => {
    const output = await kdig("dot", "+tls", "+padding", "www.example.com");
    assert.match(output, /TLS session \(TLS1\.[23]\)/);
    assert.match(output, /192\.0\.2\.80/);
    assert.match(output, /PADDING/i);
  });

  it("kdig is answered over HTTPS, by POST and by GET", async () => {
    for (const way of ["+https", "+https-get"])
      assert.match(await kdig("doh", way, "www.example.com"), /192\.0\.2\.80/);
  });

  it("curl is answered over HTTPS with a lifetime of the smallest TTL", async () => {
    const { clients, host, ports, caFile, serverName } = demo.target;
    const directory = await mkdtemp(join(tmpdir(), "dnspolicy-curl-"));
    const file = join(directory, "question");
    await writeFile(file, encodeQuestion("assets.example.com", { id: 0 }));
    const place = [`https://${serverName}:${ports.doh}/dns-query`, "--resolve", `${serverName}:${ports.doh}:${host}`];
    const message = ["-H", "content-type: application/dns-message", "--data-binary", `@${file}`];
    const where = ["--cacert", caFile, "--interface", clients.backend];
    const output = await command("curl", "-sS", "-D", "-", "-o", "/dev/null", ...where, ...message, ...place);
    await rm(directory, { recursive: true });
    assert.match(output, /^HTTP\/2 200/m);
    assert.match(output, /^content-type: application\/dns-message/im);
    const lifetime = /^cache-control: private, max-age=(\d+)/im.exec(output)?.[1];
    assert.ok(Number(lifetime) <= 60 && Number(lifetime) >= 55, `expected max-age of up to 60, got\n${output}`);
  });

  it("dnsperf loses nothing over UDP, TCP and TLS", async () => {
    const { clients, host, ports } = demo.target;
    const directory = await mkdtemp(join(tmpdir(), "dnspolicy-dnsperf-"));
    const file = join(directory, "names");
    await writeFile(file, "www.example.com A\nwww.example.org AAAA\nnowhere.example.org A\n");
    for (const mode of ["udp", "tcp", "dot"] as const) {
      const place = ["-m", mode, "-s", host, "-p", ports[mode], "-a", clients.backend, "-d", file];
      const output = await command("dnsperf", ...place, "-l", 1, "-Q", 1000, "-c", 4);
      assert.match(output, /Queries lost:\s+0 /, `${mode}:\n${output}`);
      assert.doesNotMatch(output, /SERVFAIL/, `${mode}:\n${output}`);
    }
    await rm(directory, { recursive: true });
  });
});
