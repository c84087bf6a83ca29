/**
 * Plays a story in a world, step by step, and says at which step it went otherwise than told.
 */
import { strict as assert } from "node:assert";
import { type Answer, FLAGS } from "../e2e/dns.ts";
import { scriptOf } from "./behaviours.ts";
import { type Ask, type ExpectedAnswer, type ExpectedEvent, edeCode, type Step, type Story } from "./story.ts";
import type { Slack, StoryEvent, World } from "./world.ts";

/** A stub resolver's patience. */
const PATIENCE_MS = 5000;
/** How long a real client waits for what must not come. */
const SILENCE_MS = 1000;

export async function play(story: Story, world: World, slack: Slack): Promise<void> {
  for (const [index, step] of story.steps.entries()) {
    try {
      await playStep(step, world, slack);
    } catch (error) {
      const told = JSON.stringify(step);
      throw new Error(`step ${index + 1} (${told}): ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
}

async function playStep(step: Step, world: World, slack: Slack): Promise<void> {
  if ("ask" in step) return ask(step, world, slack);
  if ("pass" in step) return world.pass(step.pass);
  if ("service" in step) return world.service(step.service);
  if ("apply" in step) return world.apply(step.apply);
  if ("events" in step) return compareEvents(step.events, await world.takeEvents(step.events.length));
  const upstream = world.upstream("upstream" in step ? step.upstream : step.asked);
  if ("asked" in step) {
    const asked = upstream.asked.splice(0).map(({ name, type }) => `${name.toLowerCase()} ${type}`);
    assert.deepEqual(asked.sort(), [...step.questions].sort(), "questions that reached the upstream");
    return;
  }
  if (step.does !== undefined) upstream.script = scriptOf(upstream, step.does);
  if (step.zone !== undefined) {
    const { asked, script } = { asked: [...upstream.asked], script: upstream.script };
    upstream.reset(step.zone);
    upstream.asked.push(...asked);
    upstream.script = script;
  }
}

async function ask(step: Ask, world: World, slack: Slack): Promise<void> {
  const [name = "", type = "A"] = step.ask.split(" ");
  const { from, over, principal, serverName, path, dnssec, iterative } = step;
  const expected = step.answer;
  const patience = expected === "none" ? SILENCE_MS : PATIENCE_MS;
  const got = await world.ask({ name, type, from, over, principal, serverName, path, dnssec, iterative }, patience);
  if (expected === "none") {
    assert.equal(got, undefined, "expected no answer");
    return;
  }
  assert.ok(got, `expected an answer, got none within ${patience} ms`);
  compareAnswer(expected, got.answer, slack);
  const latest = (expected.within ?? PATIENCE_MS) + slack.latenessMs;
  const earliest = expected.after ?? 0;
  assert.ok(got.tookMs >= earliest, `expected an answer after ${earliest} ms, got it after ${got.tookMs} ms`);
  assert.ok(got.tookMs <= latest, `expected an answer within ${latest} ms, got it after ${got.tookMs} ms`);
}

function compareAnswer(expected: Exclude<ExpectedAnswer, "none">, got: Answer, slack: Slack): void {
  const ede = got.ede.map(({ code, text }) => ({ code, text }));
  assert.equal(
    got.rcode,
    expected.rcode,
    `expected ${expected.rcode}, got ${got.rcode} with EDE ${JSON.stringify(ede)}`,
  );
  if (expected.records) {
    const lines = got.answers.map(({ name, ttl, type, data }) => ({
      key: `${name.toLowerCase()} ${type} ${data}`,
      ttl,
    }));
    compareRecords(expected.records, lines, slack);
  }
  if (expected.soa !== undefined) {
    const [owner, ttl] = expected.soa.split(" ");
    const soa = got.authorities.find(({ type }) => type === "SOA");
    assert.ok(soa, "expected an SOA, got none");
    assert.equal(soa.name.toLowerCase(), owner, "owner of the SOA");
    if (ttl !== undefined) assertTtl(Number(ttl), soa.ttl, slack, "SOA");
  }
  if (expected.ede === false) assert.deepEqual(ede, [], "expected no EDE");
  else if (expected.ede !== undefined)
    assert.deepEqual(
      ede.map(({ code }) => code),
      [edeCode(expected.ede)],
      `EDE ${JSON.stringify(ede)}`,
    );
  if (expected.text !== undefined) assert.equal(ede[0]?.text, expected.text, "text of the EDE");
  for (const flag of expected.flags ?? []) {
    const bit = FLAGS[flag as keyof typeof FLAGS];
    assert.ok(bit && (got.flags & bit) !== 0, `expected flag ${flag}, got flags 0x${got.flags.toString(16)}`);
  }
}

function compareRecords(expected: string[], got: { key: string; ttl: number }[], slack: Slack): void {
  const wanted = expected.map((line) => {
    const [name = "", ttl = "", type = "", ...data] = line.split(" ");
    return { key: `${name.toLowerCase()} ${type} ${data.join(" ")}`, ttl: Number(ttl) };
  });
  const keys = (records: { key: string }[]) => records.map(({ key }) => key).sort();
  assert.deepEqual(keys(got), keys(wanted), "records of the answer");
  for (const { key, ttl } of wanted) {
    const record = got.find((each) => each.key === key);
    assertTtl(ttl, record?.ttl ?? -1, slack, key);
  }
}

function assertTtl(expected: number, got: number, slack: Slack, what: string): void {
  const fits = got <= expected && got >= expected - slack.ttlSeconds;
  assert.ok(fits, `TTL of ${what}: expected ${expected}, got ${got}`);
}

function compareEvents(expected: ExpectedEvent[], got: StoryEvent[]): void {
  const left = [...got];
  for (const wanted of expected) {
    const at = left.findIndex((event) => matches(wanted, event));
    assert.ok(at >= 0, `expected an event ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
    left.splice(at, 1);
  }
  assert.deepEqual(left, [], "events that the story does not tell");
}

function matches(wanted: ExpectedEvent, event: StoryEvent): boolean {
  const { ede, ...others } = wanted;
  if (ede !== undefined && event.ede !== edeCode(ede)) return false;
  return Object.entries(others).every(([key, value]) => event[key as keyof StoryEvent] === value);
}
