/** Reading a Verdict of the policy service: what it says, and that what is none is never taken for a permission. */
import { strict as assert } from "node:assert";
import { SeededRandom } from "../../host/clock.ts";
import { encode, FIELDS, VerdictLab } from "./lab.ts";

const sound = { revision: 7, client: { subject: 3 }, scope: { labels: 2 }, forward: { upstream: 4 } };

describe("verdicts", () => {
  let lab: VerdictLab;
  before(async function () {
    this.timeout(120_000);
    lab = await VerdictLab.open();
  });

  const number = (field: string) => Number(lab.fields[field]);
  const lists = (field: 0 | 1, count: number) =>
    Array.from({ length: count }, (_, index) => lab.room.call("listed", field, index) >>> 0);

  it("that forward are read as protobufjs writes them", () => {
    const client = { subject: 4_000_000_000, tenant: "frontend", prefix: 24, log_all: true };
    const scope = { labels: 3, extent: 1, except: [1, 0xffffffff], types: [1, 28, 65_535], types_excluded: true };
    const message = {
      ...{ revision: "18446744073709551615", client, policy: "the-policy", rule: "the rule" },
      ...{
        scope: { ...scope, transports: 5, lifetime_ms: 250 },
        forward: { upstream: 9, view: "18446744073709551614" },
      },
    };
    assert.ok(lab.read(encode(message)));
    const { tenant, ...fields } = lab.fields;
    assert.deepEqual(
      Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)])),
      Object.fromEntries(
        Object.entries({
          ...{ revision: message.revision, prefix: 24, labels: 3, extent: 1, exceptCount: 2, typeCount: 3 },
          ...{ typesExcluded: 1, transports: 5, lifetime: 250, action: 1, subject: 4_000_000_000, logAll: 1 },
          ...{ sample: 0, currentOnly: 0 },
          ...{ upstream: 9, view: "18446744073709551614", rcode: 0, edeCode: 0, ttl: 0, soaLabels: 0, references: 1 },
        }).map(([name, value]) => [name, String(value)]),
      ),
    );
    assert.ok((tenant ?? 0n) > 1n);
    assert.deepEqual(lists(0, 2), [1, 0xffffffff]);
    assert.deepEqual(lists(1, 3), [1, 28, 65_535]);
    assert.deepEqual([lab.text(0), lab.text(1), lab.text(2)], ["", "the-policy", "the rule"]);
  });

  it("that deny are read, and nothing is left of the one before", () => {
    const deny = { rcode: 3, ede_code: 15, ede_text: "blocked: ü", ttl: 60, soa_labels: 2 };
    lab.read(encode({ ...sound, forward: { upstream: 1, view: 2 }, policy: "old", rule: "old" }));
    assert.ok(lab.read(encode({ revision: 1, client: { subject: 1 }, scope: {}, deny })));
    const { action, upstream, view, rcode, edeCode, ttl, soaLabels, tenant, labels } = lab.fields;
    assert.deepEqual([action, upstream, view], [2n, 0n, 0n]);
    assert.deepEqual([rcode, edeCode, ttl, soaLabels, tenant, labels], [3n, 15n, 60n, 2n, 0n, 0n]);
    assert.deepEqual([lab.text(0), lab.text(1), lab.text(2)], ["blocked: ü", "", ""]);
    assert.ok(lab.read(encode(sound)));
    assert.deepEqual([lab.fields.action, lab.fields.rcode, lab.text(0)], [1n, 0n, ""]);
  });

  it("say what their tenant may have, and the newest counts", () => {
    const limits = () => [0, 1, 2, 3].map((index) => lab.room.call("limit", index));
    const meter = { id: 1, kind: 2, count: 30, per_ms: 1, burst: 30 };
    const pending = { deny: { rcode: 5, ede_code: 18, ede_text: "pending" }, policy: "limits", rule: "pending", meter };
    const read = (client: object) =>
      lab.read(encode({ ...sound, client: { subject: 3, tenant: "limited", ...client } }));
    assert.ok(read({ limits: { pending, connections: 7, cache_share: 25 } }));
    assert.deepEqual(limits(), [30, 7, 25, 18]);
    const memory = lab.room.memorySize;
    for (let times = 0; times < 1000; times++) {
      assert.ok(read({ limits: { pending, connections: 8 }, unexplained: true }));
      assert.ok(!read({ limits: { pending: { ...pending, meter: undefined } } }), "no count");
      assert.ok(!read({ limits: { pending: { forward: { upstream: 1 }, meter } } }), "no denial");
      assert.ok(!read({ limits: { pending }, subject: 0 }), "nobody's");
      assert.ok(!read({ limits: { pending }, tenant: "", subject: 0 }));
    }
    assert.ok(read({}));
    assert.deepEqual(limits(), [-1, -1, -1, -1]);
    assert.ok(read({ limits: { pending }, unexplained: true }));
    assert.notEqual(limits()[3], 18);
    // A client that is no tenant's has none.
    assert.ok(read({ tenant: "", limits: { pending } }));
    assert.deepEqual(limits(), [-1, -1, -1, -1]);
    assert.equal(lab.room.memorySize, memory);
  });

  it("say nothing of why where the client is not to know", () => {
    const deny = { rcode: 3, ede_code: 15 };
    const client = { subject: 1, unexplained: true };
    assert.ok(lab.read(encode({ revision: 1, client, scope: {}, deny })));
    assert.deepEqual([lab.fields.rcode, lab.fields.edeCode], [3n, 2n ** 64n - 1n]);
    assert.ok(lab.read(encode({ revision: 1, client: { subject: 1 }, scope: {}, deny })));
    assert.equal(lab.fields.edeCode, 15n);
  });

  it("tell how much of a tenant is logged, and whether they outlive the policy service", () => {
    const client = { subject: 1, log_all: true, sample: 250, current_only: true };
    assert.ok(lab.read(encode({ ...sound, client })));
    assert.deepEqual([lab.fields.logAll, lab.fields.sample, lab.fields.currentOnly], [1n, 250n, 1n]);
    assert.ok(lab.read(encode({ ...sound, client: { ...client, sample: 70_000 } })));
    assert.equal(lab.fields.sample, 10_000n);
    assert.ok(lab.read(encode(sound)));
    assert.deepEqual([lab.fields.logAll, lab.fields.sample, lab.fields.currentOnly], [0n, 0n, 0n]);
  });

  it("tell which rules on trial would have done what, eight of them at most", () => {
    const audits = () => {
      const octets = lab.room.output(lab.room.call("audits"));
      const told: string[] = [];
      for (let at = 0; at < octets.length; ) {
        const [action = 0, policy = 0, rule = 0] = octets.subarray(at);
        const text = (from: number, length: number) => octets.subarray(from, from + length).toString();
        const chance = octets.readUInt16LE(at + 3);
        told.push(`${text(at + 6, policy)}/${text(at + 6 + policy, rule)} ${action}${chance ? ` ${chance}` : ""}`);
        at += 6 + policy + rule;
      }
      return told;
    };
    const audit = (policy: string, rule: string, action: number) => ({ policy, rule, action });
    assert.ok(lab.read(encode({ ...sound, audits: [audit("p", "ok", 0), audit("q", "", 2)] })));
    assert.deepEqual(audits(), ["p/ok 0", "q/ 2"]);
    const third = { ...audit("p", "no", 1), chance: 10_000 };
    assert.ok(lab.read(encode({ ...sound, policy: "x", rule: "y", audits: [audit("p", "ok", 0), third] })));
    assert.deepEqual(audits(), ["p/ok 0", "p/no 1 10000"]);
    assert.ok(!lab.read(encode({ ...sound, audits: [{ ...third, chance: 10_001 }] })), "more than certain");
    assert.ok(lab.read(encode({ ...sound, audits: Array(9).fill(audit("p".repeat(300), "r".repeat(300), 1)) })));
    assert.deepEqual(audits(), Array(8).fill(`${"p".repeat(253)}/${"r".repeat(253)} 1`));
    assert.ok(lab.read(encode(sound)));
    assert.deepEqual(audits(), []);
    assert.ok(!lab.read(Buffer.concat([encode(sound), Buffer.of(0x52, 2, 0x0a, 9)])), "an audit that is cut short");
  });

  it("have response rules, which are kept once, and none that are malformed", () => {
    const octets = (...values: number[]) => Buffer.from(values).toString("base64");
    const rule = {
      action: 1,
      outcome: { policy: "p", rule: "r", deny: { ede_text: "x".repeat(200) } },
      names: octets(2, 0),
      targets: octets(1, 1, 97, 0, 0, 0),
      networks: octets(4, 8, 10, 0, 0, 0, 16, 128, ...Array<number>(16).fill(0)),
      types: octets(0, 1, 0, 28),
    };
    const read = (rules: object[], id = 1n) => lab.read(encode({ ...sound, responses: { id: String(id), rules } }));
    assert.ok(read([rule]));
    const memory = lab.room.memorySize;
    for (let id = 1n; id < 3000n; id++) assert.ok(read([rule, rule], id));
    for (const wrong of [
      { ...rule, names: octets(3, 0) },
      { ...rule, names: octets(2) },
      { ...rule, targets: octets(0, 1, 97) },
      { ...rule, targets: octets(0, 64, ...Array<number>(64).fill(97), 0) },
      { ...rule, except: octets(0, 0, 0) },
      { ...rule, networks: octets(4, 33, 10, 0, 0, 0) },
      { ...rule, networks: octets(4, 8, 10, 0, 0) },
      { ...rule, networks: octets(5, 8, 10, 0, 0, 0, 0) },
      { ...rule, types: octets(0) },
      { ...rule, action: 3 },
    ]) {
      for (let id = 5000n; id < 5100n; id++) assert.ok(!read([rule, wrong, rule], id), JSON.stringify(wrong));
    }
    assert.ok(!read([], 6000n), "none at all");
    assert.ok(!read(Array<object>(256).fill({ action: 1 }), 6001n), "too many");
    assert.ok(!read([rule], 0n), "without a number");
    assert.ok(lab.room.memorySize - memory <= 65_536, "expected that nothing is left of what was let go");
  });

  it("have a chain of blocks where chance has a word", () => {
    const deny = { rcode: 5, ede_text: "by chance" };
    const one = { chance: 100, deny, policy: "p", rule: "one", audits: [{ policy: "a", rule: "b" }] };
    const two = { chance: 10_000, forward: { upstream: 9, view: 5 }, rule: "two" };
    const chained = () => [0, 1, 2, 3, 4].map((index) => lab.room.call("chained", index));
    for (let times = 0; times < 1000; times++) {
      assert.ok(lab.read(encode({ ...sound, client: { subject: 7 }, alternatives: [one, two], rule: "last" })));
    }
    assert.deepEqual(chained(), [3, (100 << 16) | 2, (10_000 << 16) | 1, 1, -1]);
    assert.deepEqual([number("subject"), lab.text(2)], [7, ""]);
    const memory = lab.room.memorySize;
    lab.room.call("holdNext");
    assert.deepEqual([number("subject"), number("rcode"), lab.text(0)], [7, 5, "by chance"]);
    lab.room.call("holdNext");
    assert.deepEqual([number("subject"), number("upstream"), lab.text(2)], [7, 9, "two"]);
    lab.room.call("holdNext");
    assert.deepEqual([number("subject"), lab.text(2)], [7, "last"]);
    for (const wrong of [
      { ...one, chance: 0 },
      { ...one, chance: 10_001 },
      { chance: 1, rule: "does nothing" },
    ]) {
      for (let times = 0; times < 1000; times++) {
        assert.ok(!lab.read(encode({ ...sound, alternatives: [two, wrong, one] })), JSON.stringify(wrong));
      }
    }
    assert.ok(lab.read(encode({ ...sound, alternatives: Array(24).fill(one) })));
    assert.ok(!lab.read(encode({ ...sound, alternatives: Array(25).fill(one) })));
    assert.ok(!lab.read(encode({ ...sound, alternatives: [one], forward: undefined })), "the last has no action");
    assert.equal(lab.room.memorySize, memory);
  });

  it("with a meter come up without chance, and are read within bounds", () => {
    const meter = { id: "18446744073709551615", count: 100, per_ms: 1000, burst: 200, by_client: true };
    const limited = (changes: object) => ({ deny: { rcode: 5 }, rule: "rate", meter: { ...meter, ...changes } });
    const memory = lab.room.memorySize;
    for (let times = 0; times < 1000; times++) {
      assert.ok(lab.read(encode({ ...sound, alternatives: [limited({}), { ...limited({}), chance: 5 }] })));
    }
    assert.equal(lab.room.call("chained", 1), 2);
    for (const changes of [
      { count: 0 },
      { count: 10_000_001 },
      { per_ms: 0 },
      { per_ms: 3_600_001 },
      { burst: 0 },
      { burst: 2 ** 31 },
      { kind: 99 },
    ]) {
      assert.ok(!lab.read(encode({ ...sound, alternatives: [limited(changes)] })), JSON.stringify(changes));
      const audit = { policy: "p", rule: "r", action: 8, meter: { ...meter, ...changes } };
      assert.ok(!lab.read(encode({ ...sound, audits: [audit] })), JSON.stringify(changes));
    }
    const text = "p".repeat(250);
    const audits = Array(8).fill({ policy: text, rule: text, action: 8, meter });
    for (let times = 0; times < 1000; times++) assert.ok(lab.read(encode({ ...sound, audits })));
    assert.equal(lab.room.memorySize, memory);
  });

  it("are none with a form of denial that is not known, or with records that are too many", () => {
    const verdict = (deny: object) => encode({ revision: 1, client: { subject: 1 }, scope: {}, deny });
    for (const form of [0, 1, 2, 3]) assert.ok(lab.read(verdict({ form })), `${form}`);
    for (const form of [4, 255, -1]) assert.ok(!lab.read(verdict({ form })), `${form}`);
    const record = (type: number, length: number) => ({ type, data: Buffer.alloc(length) });
    assert.ok(lab.read(verdict({ form: 3, records: Array(64).fill(record(1, 64)) })));
    assert.ok(!lab.read(verdict({ form: 3, records: Array(65).fill(record(1, 4)) })));
    assert.ok(!lab.read(verdict({ form: 3, records: Array(60).fill(record(1, 100)) })));
    assert.ok(!lab.read(verdict({ form: 3, records: [record(1, 70_000)] })));
    assert.ok(!lab.read(verdict({ form: 3, records: [record(0, 4)] })));
    assert.ok(!lab.read(verdict({ form: 3, records: [record(65_536, 4)] })));
    const cut = Buffer.of(0x2a, 4, 0x3a, 2, 0x12, 9);
    assert.ok(!lab.read(Buffer.concat([verdict({}), cut])), "a record that is cut short");
  });

  it("that put the answer off, or disturb it, are read within bounds", () => {
    const delay = { chance: 10_000, milliseconds: 4000 };
    const action = () => [0, 1, 2].map((index) => lab.room.call("chained", index));
    assert.ok(lab.read(encode({ ...sound, delays: Array(8).fill(delay) })));
    assert.deepEqual(action(), [3, 1, -1], "behind a head, so that others need not look");
    assert.ok(!lab.read(encode({ ...sound, delays: Array(9).fill(delay) })));
    assert.ok(!lab.read(encode({ ...sound, delays: [{ ...delay, milliseconds: 4001 }] })));
    assert.ok(!lab.read(encode({ ...sound, delays: [{ ...delay, chance: 10_001 }] })));
    const { forward: _forward, ...without } = sound;
    assert.ok(lab.read(encode({ ...without, fault: { rcode: 2, ede_text: "policy p/r" } })));
    assert.deepEqual([action(), number("rcode"), lab.text(0)], [[4, -1, -1], 2, "policy p/r"]);
    for (const form of [0, 1, 2]) assert.ok(lab.read(encode({ ...without, fault: { form } })), `${form}`);
    for (const form of [3, 4]) assert.ok(!lab.read(encode({ ...without, fault: { form } })), `${form}`);
  });

  it("that answer have records, and with an alias a place where it is asked for", () => {
    const { forward, ...without } = sound;
    const alias = Buffer.from("\x03www\x01a\x00");
    const records = [{ type: 5, data: alias }];
    assert.ok(lab.read(encode({ ...without, answer: { records, ttl: 9, soa_labels: 1 } })));
    assert.deepEqual([number("action"), number("ttl"), number("upstream")], [5, 9, 0]);
    assert.ok(lab.read(encode({ ...without, answer: { records, alias, forward: { upstream: 9, view: 7 } } })));
    assert.deepEqual([number("action"), number("upstream"), number("view")], [5, 9, 7]);
    assert.ok(!lab.read(encode({ ...without, answer: { records, alias } })), "an alias that is asked for nowhere");
    for (const broken of ["", "\x03www\x01a", "\x03www\x00\x01", "\xc0\x0c", "\x40"].map((text) =>
      Buffer.from(text, "latin1"),
    )) {
      const wrong = encode({ ...without, answer: { records, alias: broken, forward: {} } });
      assert.equal(lab.read(wrong), broken.length === 0, broken.toString("hex"));
    }
    // Nothing of it is left where another action comes after it.
    const both = [encode({ ...without, answer: { records, alias, forward: { upstream: 9 } } }), encode({ forward })];
    assert.ok(lab.read(Buffer.concat(both)));
    assert.deepEqual([number("action"), number("upstream")], [1, forward.upstream]);
  });

  it("that rewrite have a name, and a place where the name itself goes", () => {
    const { forward, ...without } = sound;
    const to = Buffer.from("\x03www\x01a\x00");
    assert.ok(lab.read(encode({ ...without, rewrite: { labels: 2, to, forward: { upstream: 9, view: 7 } } })));
    assert.deepEqual([number("action"), number("upstream"), number("view")], [6, 9, 7]);
    assert.ok(lab.read(encode({ ...without, rewrite: { labels: 127, to } })), "one that goes nowhere");
    for (const broken of ["", "\x03www\x01a", "\xc0\x0c"].map((text) => Buffer.from(text, "latin1"))) {
      assert.ok(!lab.read(encode({ ...without, rewrite: { to: broken } })), broken.toString("hex"));
    }
    assert.ok(lab.read(Buffer.concat([encode({ ...without, rewrite: { to } }), encode({ forward })])));
    assert.deepEqual([number("action"), number("upstream")], [1, forward.upstream]);
  });

  it("that have a second upstream asked have a chance of at most 10,000", () => {
    assert.ok(lab.read(encode({ ...sound, mirror: { upstream: 3, chance: 10_000 } })));
    assert.ok(lab.read(encode({ ...sound, mirror: {} })), "and may have none");
    assert.ok(!lab.read(encode({ ...sound, mirror: { upstream: 3, chance: 10_001 } })));
  });

  it("have subjects of more than 32 bits", () => {
    assert.ok(lab.read(encode({ ...sound, client: { subject: 2 ** 53 - 1 } })));
    assert.equal(lab.fields.subject, 2n ** 53n - 1n);
  });

  it("have the last of their actions, where they have two", () => {
    const first = encode(sound);
    assert.ok(lab.read(Buffer.concat([first, encode({ deny: { rcode: 5 } })])));
    assert.equal(number("action"), 2);
    assert.ok(lab.read(Buffer.concat([first, encode({ deny: { rcode: 5 } }), encode({ forward: {} })])));
    assert.equal(number("action"), 1);
  });

  it("are none without revision, subject or action", () => {
    for (const without of ["revision", "client", "forward"]) {
      const message = Object.fromEntries(Object.entries(sound).filter(([name]) => name !== without));
      assert.ok(!lab.read(encode(message)), without);
    }
    assert.ok(!lab.read(encode({ ...sound, client: { tenant: "a" } })));
    assert.ok(!lab.read(Buffer.of()));
    assert.equal(lab.room.call("field", 0), -1, "no verdict is there");
  });

  it("are none with an extent that is not known, whatever its number", () => {
    for (const extent of [0, 1, 2]) assert.ok(lab.read(encode({ ...sound, scope: { extent } })));
    for (const extent of [3, 100, 0x7fffffff, -1, -2147483648])
      assert.ok(!lab.read(encode({ ...sound, scope: { extent } })), `${extent}`);
  });

  it("are none with more types or labels than a scope may list", () => {
    const list = (length: number) => Array.from({ length }, (_, index) => index);
    for (const field of ["types", "except"]) {
      assert.ok(lab.read(encode({ ...sound, scope: { [field]: list(256) } })));
      assert.deepEqual(lists(field === "types" ? 1 : 0, 256), list(256));
      assert.ok(!lab.read(encode({ ...sound, scope: { [field]: list(257) } })));
      // In two pieces, as concatenating messages makes them.
      const scope = encode({ scope: { [field]: list(200) } });
      assert.ok(!lab.read(Buffer.concat([encode(sound), scope, scope])));
    }
  });

  it("are none where they are cut short, but between fields", () => {
    const message = encode({ ...sound, policy: "p", rule: "r" });
    const whole = [message.length, message.length - 3, message.length - 6];
    for (let length = 0; length <= message.length; length++)
      assert.equal(lab.read(message.subarray(0, length)), whole.includes(length), `cut at ${length}`);
  });

  it("skip fields that are not known", () => {
    // Field 100 of each wire type.
    const key = (wireType: number) => [0xa0 | wireType, 0x06];
    const unknown = Buffer.of(
      ...key(0),
      5,
      ...key(2),
      2,
      1,
      2,
      ...key(1),
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      ...key(5),
      1,
      2,
      3,
      4,
    );
    assert.ok(lab.read(Buffer.concat([unknown, encode(sound), unknown])));
    assert.ok(
      !lab.read(Buffer.concat([encode(sound), Buffer.of(...key(3), ...key(4))])),
      "groups are no fields of ours",
    );
    // A field of ours with another wire type.
    assert.ok(!lab.read(Buffer.concat([encode(sound), Buffer.of(0x0a, 0)])));
  });

  it("have text of 512 octets, cut between characters", () => {
    const texts = { policy: "ü".repeat(300), rule: `.${"ü".repeat(300)}` };
    const deny = { ede_text: "..€".repeat(200) };
    assert.ok(lab.read(encode({ revision: 1, client: { subject: 1 }, scope: {}, deny, ...texts })));
    assert.equal(lab.text(0), `${"..€".repeat(102)}..`);
    assert.deepEqual([lab.text(1), lab.text(2)], ["ü".repeat(256), `.${"ü".repeat(255)}`]);
  });

  it("with mutations never trap, end in time and keep no memory", () => {
    const random = new SeededRandom(8);
    const deny = { rcode: 3, ede_code: 15, ede_text: "blocked", ttl: 60, soa_labels: 2 };
    const scope = { labels: 1, extent: 2, except: [1, 2, 3], types: [1, 28, 65], transports: 3, lifetime_ms: 5000 };
    const seeds = [
      encode({ ...sound, scope }),
      encode({ revision: 9, client: { subject: 1 }, scope, deny, rule: "r", audits: [{ policy: "p", rule: "s" }] }),
      encode({
        ...sound,
        alternatives: [
          { chance: 9, deny, rule: "r" },
          { chance: 9, forward: { upstream: 1 } },
        ],
      }),
    ];
    const data = Buffer.alloc(4);
    seeds.push(encode({ ...sound, forward: undefined, deny: { ...deny, form: 3, records: [{ type: 1, data }] } }));
    seeds.push(
      encode({ ...sound, delays: [{ chance: 5, milliseconds: 9 }], alternatives: [{ chance: 9, fault: {} }] }),
    );
    const meter = { id: "1", count: 1, per_ms: 1, burst: 1 };
    const audits = [{ policy: "p", rule: "s", action: 8, meter }];
    seeds.push(encode({ ...sound, audits, alternatives: [{ deny, meter, audits }] }));
    const alias = Buffer.from("\x03www\x00");
    seeds.push(encode({ ...sound, forward: undefined, answer: { alias, records: [{ type: 1, data }], forward: {} } }));
    seeds.push(encode({ ...sound, forward: undefined, rewrite: { labels: 1, to: alias, forward: {} } }));
    const started = performance.now();
    let verdicts = 0;
    let memory = 0;
    for (let times = 0; times < 20_000; times++) {
      let bytes: Buffer = Buffer.from(random.pick(seeds));
      for (let changes = random.below(5); changes > 0 && bytes.length > 0; changes--) {
        const at = random.below(bytes.length);
        const kind = random.below(4);
        if (kind === 0) bytes[at] = random.below(256);
        else if (kind === 1) bytes[at] = random.pick([0, 0x7f, 0x80, 0xff]);
        else if (kind === 2) bytes = bytes.subarray(0, at);
        else bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(9)), bytes.subarray(at)]);
      }
      if (lab.read(bytes)) {
        verdicts++;
        const { extent = 9n, exceptCount = 999n, typeCount = 999n, subject, revision } = lab.fields;
        assert.ok(extent <= 2n && exceptCount <= 256n && typeCount <= 256n && subject && revision);
        lab.name("www.example.org");
        lab.room.call("put", random.below(70), random.below(5), 0n);
        lab.room.call("find", Number(subject), random.below(70), random.below(5), 0n);
      }
      if (times === 10_000) memory = lab.room.memorySize;
    }
    assert.ok(verdicts > 2000 && verdicts < 18_000, `${verdicts} verdicts`);
    assert.ok(performance.now() - started < 10_000);
    assert.equal(lab.room.memorySize, memory);
    assert.equal(FIELDS.length, 22);
  });
});
