/**
 * Two policy services of one store behind one real Envoy, which balances over both: whichever is killed or hung, what is
 * written to the API is obeyed, and queries go on.
 */
import assert from "node:assert/strict";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { makeCertificates } from "../e2e/certificates.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { encodeQuestion } from "../e2e/dns.ts";
import type { Program } from "../e2e/process.ts";
import { prepareEnvoy } from "../e2e/stack.ts";
import { Asker, envoyStats, type Target } from "../e2e/target.ts";
import { ScriptedUpstream } from "../e2e/upstream.ts";
import { Cluster, REAL_API, type Written } from "./cluster.ts";
import { NAMESPACE, one, StoreServices } from "./services.ts";

const ENVOY = "e2e";

const TENANT = one(
  "kind: Tenant\nmetadata: { name: frontend }\nspec: { match: [{ cidrs: [127.0.1.0/24] }], upstream: public }\n",
);
const LIST = one("kind: NameList\nmetadata: { name: ads }\nspec: { file: ads.txt }\n");
const OF_LIST = one(
  `kind: DnsPolicy\nmetadata: { name: listed, namespace: ${NAMESPACE} }\nspec: { priority: 9, subject: { tenants: [frontend] }, rules: [{ name: a, match: { lists: [ads] }, action: Deny }] }\n`,
);
/** Each of the cold names costs a decision of its own, as an expression is looked at. */
const rulesWith = (name: string) => [
  { name: "a", match: { names: [name] }, action: "Deny" },
  { name: "cold", match: { names: ["*.cold.example"], nameRegex: ["never\\..*"] }, action: "Deny" },
];
const OWN: Written = {
  ...OF_LIST,
  metadata: { name: "own", namespace: NAMESPACE },
  spec: { priority: 1, subject: { tenants: ["frontend"] }, rules: rulesWith("denied.example") },
};

/** Before something happens. */
const START_MS = 500;
const MAX_LATE = 3;

/** What became of queries that are asked one after the other while something happens. */
class Askers {
  readonly #ask: Asker;
  readonly #started = Date.now();
  /** When those failed that no verdict was known for, in milliseconds since the start. */
  readonly coldFailures: number[] = [];
  knownFailures = 0;
  asked = 0;
  #stopped = false;
  readonly #running: Promise<unknown>;

  constructor(ask: Asker) {
    this.#ask = ask;
    this.#running = Promise.all([this.#askKnown(), this.#askCold()]);
  }

  async #askKnown(): Promise<void> {
    while (!this.#stopped) {
      if (!(await this.#isAnswered("known.example"))) this.knownFailures++;
      await pause(5);
    }
  }

  async #askCold(): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      const at = Date.now() - this.#started;
      if (!(await this.#isAnswered(`n${number}-${this.#started}.cold.example`))) this.coldFailures.push(at);
      await pause(10);
    }
  }

  async #isAnswered(name: string): Promise<boolean> {
    this.asked++;
    const answer = await this.#ask.udp(encodeQuestion(name), "frontend", 3000).catch(() => undefined);
    return answer?.rcode === "NOERROR";
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** What is known is always answered; what is not, but for so long at the beginning, when the service has just gone. */
  check(milliseconds: number): void {
    const late = this.coldFailures.filter((at) => at > START_MS + milliseconds);
    const told = `${this.asked} asked; of known names ${this.knownFailures} failed, of others after ${this.coldFailures.join(", ")} ms`;
    assert.equal(this.knownFailures, 0, told);
    // A decision has 200 ms, which a machine that is busy with something else may take.
    assert.ok(late.length <= MAX_LATE, told);
    console.log(`      ${told}`);
  }
}

if (REAL_API !== undefined) {
  describe("two policy services behind one Envoy", function () {
    this.timeout(120_000);
    let cluster: Cluster;
    let services: StoreServices;
    let upstream: ScriptedUpstream;
    let envoy: Program;
    let target: Target;
    let ask: Asker;
    let resources: readonly Written[];
    let denied = 0;
    let asked = 0;

    before(async () => {
      cluster = await Cluster.open();
      services = await StoreServices.open(cluster, (name) => ["--list-directory", listsOf(name)]);
      const certificates = await makeCertificates(services.folder);
      upstream = await ScriptedUpstream.start({ tls: certificates.upstream, zone: "*.example 300 A 192.0.2.1" });
      for (const name of ["a", "b"]) await writeList(name, "ad.example");
      const server = `{ address: 127.0.0.1, port: ${upstream.ports.tcp} }`;
      const public_ = one(
        `kind: Upstream\nmetadata: { name: public }\nspec: { protocol: TCP, servers: [${server}] }\n`,
      );
      resources = [public_, TENANT, LIST, OWN, OF_LIST];
      await services.start("a", "b");
      for (const resource of resources) await cluster.create(resource);
      const place = (name: string) => ({ path: services.socket(name, "grpc") });
      const prepared = await prepareEnvoy(services.folder, certificates, {
        node: ENVOY,
        concurrency: 2,
        policyService: { ...place("a"), others: [place("b")] },
      });
      target = prepared.target;
      ask = new Asker(target);
      envoy = prepared.start();
      await eventually(40_000, "a query is answered", () => is("known.example", "NOERROR"));
    });
    afterEach(function () {
      if (this.currentTest?.state !== "failed") return;
      services.printLogs();
      console.error(`Envoy:\n${envoy.output}`);
    });
    after(async () => {
      for (const resource of resources) await cluster.delete(resource);
      await services.agreed((await services.agreed()).sequence);
      await envoy.stop();
      await services.close();
      await upstream.stop();
    });

    const listsOf = (name: string) => join(services?.folder ?? "", name);

    async function writeList(name: string, ...names: string[]): Promise<void> {
      await mkdir(listsOf(name), { recursive: true });
      await writeFile(join(listsOf(name), "new.txt"), `${names.join("\n")}\n`);
      await rename(join(listsOf(name), "new.txt"), join(listsOf(name), "ads.txt"));
    }

    async function is(name: string, rcode: string): Promise<boolean> {
      // A port of its own for each query: so both workers are asked.
      return (await ask.udp(encodeQuestion(name), "frontend", 1000)).rcode === rcode;
    }

    /** A change by kubectl, until no worker answers by the policy before it. */
    async function isObeyed(): Promise<void> {
      const name = `denied${++denied}.example`;
      await is(name, "NOERROR");
      await cluster.patch(OWN, { spec: { rules: rulesWith(name) } });
      await eventually(10_000, `${name} is denied`, () => is(name, "NXDOMAIN"));
      await services.told(OWN, "True Programmed", "Programmed");
      for (let query = 0; query < 20; query++) assert.ok(await is(name, "NXDOMAIN"));
    }

    /** Whom the Envoy uses, and the other: for all that it asks, once it has asked something. */
    async function inUse(): Promise<readonly [used: string, spare: string]> {
      return eventually(20_000, "the Envoy uses one service", async () => {
        for (let query = 0; query < 4; query++) await is(`n${++asked}.cold.example`, "NOERROR");
        const [a, b] = [await services.statusOf("a"), await services.statusOf("b")];
        const uses = ({ workers, envoys }: typeof a) => `${workers.connected} ${envoys.length}`;
        if (uses(a) === "2 1" && uses(b) === "0 0") return ["a", "b"] as const;
        return uses(a) === "0 0" && uses(b) === "2 1" && (["b", "a"] as const);
      });
    }

    it("is told of every change by the one that decides", async function () {
      // Where the machine is busy with something else, a service may count as ill for a moment, and the other decides.
      this.retries(2);
      const [used, spare] = await inUse();
      const counts = () => Promise.all([used, spare].map((name) => services.decisionsOf(name)));
      const [before = 0, beforeElsewhere] = await counts();
      for (let time = 0; time < 5; time++) await isObeyed();
      const [after = 0, elsewhere] = await counts();
      assert.ok(after > before);
      assert.equal(elsewhere, beforeElsewhere);
    });

    it("goes on when that is killed, though it leads, and comes back to it", async () => {
      await toLead((await inUse())[0]);
      const [used, spare] = await inUse();
      const asking = new Askers(ask);
      await pause(START_MS);
      await services.end(used, "SIGKILL");
      services.programs.delete(used);
      await eventually(10_000, "both workers are at the other", async () => {
        return (await services.statusOf(spare)).workers.connected === 2;
      });
      await services.programs.get(spare)?.said("this service leads");
      await isObeyed();
      await services.start(used);
      await eventually(20_000, "it is used again", async () => (await inUse())[0] === used);
      await isObeyed();
      await asking.stop();
      asking.check(500);
    });

    it("goes on when that is hung, though it leads, and comes back to it", async () => {
      await toLead((await inUse())[0]);
      const [used, spare] = await inUse();
      const asking = new Askers(ask);
      await pause(START_MS);
      services.signal(used, "SIGSTOP");
      await eventually(10_000, "both workers are at the other", async () => {
        return (await services.statusOf(spare)).workers.connected === 2;
      });
      await pause(2000);
      await services.programs.get(spare)?.said("this service leads");
      await eventuallyObeyed();
      services.signal(used, "SIGCONT");
      await eventually(20_000, "it is used again", async () => (await inUse())[0] === used);
      await isObeyed();
      await asking.stop();
      asking.check(3000);
    });

    it("obeys the lists of the one that it uses, under one number for both", async () => {
      const [used, spare] = await inUse();
      const { sequence } = await services.agreed();
      await is("new-ad.example", "NOERROR");
      await writeList(used, "ad.example", "new-ad.example");
      await eventually(10_000, "new-ad.example is denied", () => is("new-ad.example", "NXDOMAIN"));
      assert.equal((await services.agreed()).sequence, sequence);
      const asking = new Askers(ask);
      await pause(START_MS);
      services.signal(used, "SIGSTOP");
      await eventually(10_000, "it goes by the lists of the other", () => is("new-ad.example", "NOERROR"));
      await writeList(spare, "ad.example", "other-ad.example");
      await eventually(10_000, "other-ad.example is denied", () => is("other-ad.example", "NXDOMAIN"));
      services.signal(used, "SIGCONT");
      await eventually(20_000, "it goes by the first's again", () => is("new-ad.example", "NXDOMAIN"));
      assert.equal((await inUse())[0], used);
      for (let query = 0; query < 10; query++) {
        assert.ok(await is("new-ad.example", "NXDOMAIN"));
        assert.ok(await is("other-ad.example", "NOERROR"));
      }
      await isObeyed();
      await asking.stop();
      asking.check(3000);
    });

    /** As isObeyed(), while one of the services says nothing. */
    async function eventuallyObeyed(): Promise<void> {
      const name = `denied${++denied}.example`;
      await cluster.patch(OWN, { spec: { rules: rulesWith(name) } });
      await eventually(20_000, `${name} is denied`, () => is(name, "NXDOMAIN"));
    }

    /** Then the Envoy has found both well: it goes to none that it knows nothing of yet. */
    async function toLead(name: string): Promise<void> {
      const [leader] = await services.leaderAndOther();
      if (leader !== name) {
        assert.equal(await services.end(leader, "SIGTERM"), 0);
        await services.programs.get(name)?.said("this service leads");
        await services.start(leader);
      }
      await eventually(20_000, `${name} is used`, async () => (await inUse())[0] === name);
      await eventually(10_000, "both are well", async () => {
        const well = await envoyStats(target, /policy_service\.membership_healthy$/);
        return well.get("cluster.policy_service.membership_healthy") === 2;
      });
    }
  });
}
