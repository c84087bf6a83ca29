import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { QueryEvent } from "../../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { exportWebhook } from "../../../../extproc/telemetry/export/webhook.ts";
import { readSecrets, signatureHeaders } from "../../../../extproc/telemetry/export/webhook-signature.ts";
import { parseWebhooks, type WebhookOptions } from "../../../../extproc/telemetry/export/webhooks-file.ts";
import { makeCertificates } from "../../../e2e/certificates.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import { freePort } from "../../../e2e/ports.ts";
import { eventOf, readEvent } from "../events.ts";
import { Tasks } from "./tasks.ts";
import { WebhookReceiver } from "./webhook-receiver.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEWER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

describe("webhooks", () => {
  let directory: string;
  let secretFile: string;
  let receiver: WebhookReceiver;
  let tasks: Tasks;
  const troubles: string[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "webhook-"));
    secretFile = join(directory, "secret");
    await writeFile(secretFile, `${SECRET}\n`);
    receiver = await WebhookReceiver.start(SECRET);
    tasks = new Tasks();
    troubles.length = 0;
  });
  afterEach(async () => {
    await receiver.stop();
    await rm(directory, { recursive: true });
  });

  const open = (options: Partial<WebhookOptions & { ca: string }> = {}) =>
    exportWebhook(
      {
        name: "security",
        url: receiver.url,
        secretFile,
        alerts: ["denied", "limited"],
        window: 10_000,
        ca: undefined,
        ...options,
      },
      { after: tasks.after, onTrouble: (message) => troubles.push(message), random: () => 0.5, now: Date.now },
    );
  const named = (name: string, changes: QueryEvent = {}) =>
    readEvent(
      eventOf({
        qname: Buffer.concat([
          ...name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
          Buffer.alloc(1),
        ]),
        ...changes,
      }),
    );

  it("tell of a storm by one message with a count, signed as the specification says", async () => {
    const to = open();
    const early = Array.from({ length: 600 }, () => named("www.example.com", { time_us: 1_700_000_000_000_000 }));
    const late = Array.from({ length: 400 }, () => named("WWW.example.com", { time_us: 1_700_000_005_000_000 }));
    to.take(early, "east");
    to.take([named("fine.example", { outcome: 0, policy: "", rule: "", rcode: 0, ede: 0 }), ...late], "east");
    assert.deepEqual(tasks.pauses, [10_000]);
    tasks.run(10_000);
    await eventually(5000, "a message", () => to.sent > 0);
    assert.equal(receiver.received.length, 1);
    const [{ id, ...message } = { id: "" }] = receiver.received;
    assert.match(id, /^msg_[0-9a-f-]{36}$/);
    assert.deepEqual(message, {
      type: "dns.denied",
      timestamp: "2023-11-14T22:13:20.000000Z",
      data: {
        summary: "frontend was denied www.example.com. AAAA by no-com/deny-com",
        count: 1000,
        first: "2023-11-14T22:13:20.000000Z",
        last: "2023-11-14T22:13:25.000000Z",
        tenant: "frontend",
        policy: "no-com",
        rule: "deny-com",
        node: "east",
        qname: "www.example.com.",
        qtype: "AAAA",
        client: "127.0.1.1",
        transport: "dot",
        rcode: "NXDOMAIN",
        ede: 15,
        revision: 7,
      },
    });
    assert.deepEqual([to.sent, to.lost, troubles], [1000, 0, []]);
    // The next window begins with the next denial.
    to.take([named("www.example.com")], "east");
    tasks.run(10_000);
    await eventually(5000, "another message", () => receiver.received.length === 2);
    assert.equal(receiver.received[1]?.data.count, 1);
    assert.notEqual(receiver.received[1]?.id, id);
  });

  it("tell of a rule that denies ever other names by few messages, and lose none of them", async () => {
    const to = open();
    const names = Array.from({ length: 500 }, (_, index) => named(`n${index}.example.com`));
    to.take([...names, named("n3.example.com"), named("n400.example.com")], "east");
    tasks.run(10_000);
    await eventually(5000, "all of them", () => to.sent === 502);
    assert.equal(receiver.received.length, 21);
    const { data } = receiver.received.at(-1) ?? {};
    assert.deepEqual(
      [data?.summary, data?.count, data?.qname, data?.client],
      ["frontend was denied more names by no-com/deny-com", 481, undefined, undefined],
    );
    assert.equal(receiver.received.find(({ data }) => data.qname === "n3.example.com.")?.data.count, 2);
  });

  it("hold no more than a bound of a window, and count the rest", async () => {
    const to = open();
    to.take(
      Array.from({ length: 1200 }, (_, index) => named("a.example", { rule: `rule-${index}` })),
      "east",
    );
    assert.deepEqual([to.sent, to.lost], [0, 200]);
  });

  it("tell only of what they are asked to: tenants, rules, guards, trials", async () => {
    const audited = (policy: string, action: number) => ({
      outcome: 0 as const,
      policy: "",
      rule: "",
      audits: [{ policy, rule: "r", action: action as 1 }],
    });
    const events = [
      named("a.example"),
      named("b.example", { tenant: "backend" }),
      named("c.example", { policy: "guards", rule: "rebinding" }),
      named("d.example", { outcome: 6, policy: "guards", rule: "exfiltration" }),
      named("e.example", audited("trial", 1)),
      named("f.example", audited("guards", 8)),
    ];
    const told = async (options: Partial<WebhookOptions>) => {
      receiver.received.length = 0;
      const to = open(options);
      to.take(events, "east");
      await to.close();
      return receiver.received.map(({ type, data }) => `${type} ${String(data.qname)}`).sort();
    };
    assert.deepEqual(await told({ tenants: ["backend"] }), ["dns.denied b.example."]);
    assert.deepEqual(await told({ rules: ["guards"] }), ["dns.denied c.example.", "dns.limited d.example."]);
    assert.deepEqual(await told({ rules: ["guards/rebinding", "no-com/other"] }), ["dns.denied c.example."]);
    assert.deepEqual(await told({ alerts: ["would_deny", "would_limit"] }), [
      "dns.would_deny e.example.",
      "dns.would_limit f.example.",
    ]);
  });

  it("try again with growing pauses and the same id, and give up in the end", async () => {
    const to = open({ window: 777 });
    receiver.refusals = [500, 429, 302, 400, 503, 500, 500];
    to.take([named("a.example")], "east");
    tasks.run(777);
    for (const pause of [750, 1500, 3000, 6000, 12_000, 24_000, 45_000]) {
      await eventually(5000, `a pause of ${pause} ms`, () => tasks.pauses.includes(pause));
      tasks.run(pause);
    }
    await eventually(5000, "it is taken", () => to.sent === 1);
    assert.deepEqual(
      receiver.requests.map(({ status }) => status),
      [500, 429, 302, 400, 503, 500, 500, 204],
    );
    assert.equal(new Set(receiver.requests.map(({ id }) => id)).size, 1);
    assert.deepEqual(troubles, [
      "webhook security: a message is not taken, trying again: expected a status of 2xx, got 500",
    ]);
    // Pauses begin anew with what is taken; the eighth refusal is the last.
    receiver.refusals = Array.from({ length: 8 }, () => 500);
    to.take([named("b.example"), named("b.example")], "east");
    tasks.run(777);
    for (const pause of [750, 1500, 3000, 6000, 12_000, 24_000, 45_000]) {
      await eventually(5000, `a pause of ${pause} ms`, () => tasks.pauses.includes(pause));
      tasks.run(pause);
    }
    await eventually(5000, "it is given up", () => to.lost === 2);
    assert.deepEqual([to.sent, receiver.received.length, receiver.refusals], [1, 1, []]);
  });

  it("go on without a receiver that does not answer, or is not there, and keep no more than a bound", async () => {
    receiver.refusals = [0];
    const silent = open();
    silent.take([named("a.example")], "east");
    tasks.run(10_000);
    await eventually(5000, "a request", () => receiver.requests.length === 1);
    tasks.run(10_000);
    await eventually(5000, "trouble", () => troubles.length > 0);
    assert.match(troubles[0] ?? "", /expected an answer within 10000 ms$/);
    await silent.close();
    assert.deepEqual([silent.sent, silent.lost], [1, 0]);

    const away = open({ url: `http://127.0.0.1:${await freePort()}/`, window: 777 });
    for (let window = 0; window < 2; window++) {
      away.take(
        Array.from({ length: 600 }, (_, index) => named("a.example", { rule: `rule-${index}` })),
        "east",
      );
      tasks.run(777);
    }
    assert.deepEqual([away.sent, away.lost], [0, 200]);
    await away.close();
    assert.deepEqual([away.sent, away.lost], [0, 1200]);
  });

  it("are signed by each secret of the file as it is now, so that receivers change theirs when they like", async () => {
    const to = open();
    const tell = async (name: string) => {
      to.take([named(name)], "east");
      tasks.run(10_000);
      await eventually(5000, name, () => receiver.received.some(({ data }) => data.qname === `${name}.`));
    };
    await tell("a.example");
    await writeFile(secretFile, `${SECRET}\n${NEWER}\n`);
    await tell("b.example");
    receiver.secret = NEWER;
    await tell("c.example");
    await writeFile(secretFile, "nothing of use");
    to.take([named("d.example")], "east");
    tasks.run(10_000);
    await eventually(5000, "trouble", () => troubles.length > 0);
    assert.match(
      troubles[0] ?? "",
      /expected whsec_ and base64 of 24 to 64 octets, got something else as secret 1 in /,
    );
    assert.ok(!troubles.join().includes("nothing of use"));
  });

  it("speak TLS to whom they have reason to trust", async () => {
    const certificates = await makeCertificates(directory);
    const secure = await WebhookReceiver.start(SECRET, certificates.server);
    try {
      const to = open({ url: secure.url, ca: certificates.ca });
      to.take([named("a.example")], "east");
      await to.close();
      assert.deepEqual([to.sent, secure.received.length], [1, 1]);
      const stranger = open({ url: secure.url });
      stranger.take([named("a.example")], "east");
      await stranger.close();
      assert.deepEqual([stranger.sent, stranger.lost, secure.received.length], [0, 1, 1]);
      assert.match(troubles[0] ?? "", /unable to verify|self.signed|unable to get/);
    } finally {
      await secure.stop();
    }
  });

  it("have the signature that the reference library makes", () => {
    // standardwebhooks 1.1.1 of npm: new Webhook(SECRET).sign(id, time, body).
    const keys = readSecrets(SECRET);
    assert.ok(Array.isArray(keys));
    assert.deepEqual(signatureHeaders(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, '{"test":2432232314}'), {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,Vif40peJBP7Iyl0XGmu61n4MwdrcHov5CFREBpE0svs=",
    });
  });

  it("are configured by a file whose errors say where they are", () => {
    const read = parseWebhooks(
      `- {name: a, url: "https://hooks.example/dns", secretFile: /run/a}
- name: a
  url: ftp://hooks.example
  secretFile: secret
  alerts: [denied, all]
  window: 10ms
  tenant: [x]
`,
      "hooks.yaml",
    );
    assert.deepEqual(
      read.problems?.map(({ line, path, message }) => `${line} ${path}: ${message}`),
      [
        '3 [1].url: expected a URL as https://host.example/path, got "ftp://hooks.example"',
        '4 [1].secretFile: expected an absolute path of at most 1024 characters, got "secret"',
        '5 [1].alerts[1]: expected one of denied, limited, would_deny, would_limit, got "all"',
        '6 [1].window: expected 100ms to 1h, got "10ms"',
        '7 [1].tenant: expected tenants, got the unknown field "tenant"',
      ],
    );
    const twice = parseWebhooks(
      `- {name: a, url: "https://hooks.example/", secretFile: /run/a}
- {name: a, url: "https://hooks.example/", secretFile: /run/a, window: 5m, rules: [guards, no-com/com]}
`,
      "hooks.yaml",
    );
    assert.deepEqual(
      twice.problems?.map(({ line, message }) => `${line} ${message}`),
      ['2 expected a name of its own, got "a" of entry 1'],
    );
  });
});
