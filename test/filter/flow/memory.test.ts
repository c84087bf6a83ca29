/**
 * What a worker keeps is its part of what the process may keep, and has to fit into its memory in the first place.
 */
import { strict as assert } from "node:assert";
import { Host } from "../../host/host.ts";
import { filterWasm } from "../../host/wasm.ts";
import { FlowLab, TCP, type VerdictParts } from "./lab.ts";

const NAMES = Array.from({ length: 400 }, (_, index) => `name${index}.example`);

describe("memory of a worker", () => {
  it("is a part of the process's: as many answers less as there are workers more", async () => {
    const alone = await answersKept(1);
    const ofFour = await answersKept(4);
    assert.ok(alone === NAMES.length, `expected all ${NAMES.length} to be kept, got ${alone}`);
    assert.ok(ofFour > 50 && ofFour < 250, `expected some of ${NAMES.length} to be kept, got ${ofFour}`);
  });

  it("holds for verdicts too", async () => {
    const alone = await verdictsKept(1);
    const ofFour = await verdictsKept(4);
    assert.ok(alone === NAMES.length, `expected all ${NAMES.length} to be kept, got ${alone}`);
    assert.ok(ofFour > 50 && ofFour < 250, `expected some of ${NAMES.length} to be kept, got ${ofFour}`);
  });

  it("is refused where an allocation could fail later", async () => {
    const start = (vmConfiguration: string) => Host.load(filterWasm, { vmConfiguration, plugins: [TCP] });
    await assert.rejects(start("answer_cache_bytes=700000000"), /refused to start/);
    await assert.rejects(start("stream_input_bytes=900000000"), /refused to start/);
    await start("answer_cache_bytes=700000000\nconcurrency=2");
  });
});

/** How many of the names are answered a second time without asking upstream. */
async function answersKept(concurrency: number): Promise<number> {
  const lab = await FlowLab.open({ answer_cache_bytes: 100_000, concurrency });
  return askTwice(lab, { wide: true }, () => lab.pipes.reduce((sum, pipe) => sum + lab.serve(pipe), 0));
}

/** How many of the names are judged a second time without a decision. */
async function verdictsKept(concurrency: number): Promise<number> {
  const lab = await FlowLab.open({ verdict_cache_bytes: 200_000, concurrency });
  return askTwice(lab, { denied: true }, (decided) => decided);
}

/** Those that came last are the first of the second time. */
async function askTwice(lab: FlowLab, parts: VerdictParts, serve: (decided: number) => number): Promise<number> {
  const client = lab.connect("192.0.2.1");
  lab.ask(client, "first.example");
  lab.revise(1);
  const ask = (name: string): number => {
    lab.host.advance(1);
    lab.ask(client, name);
    const calls = lab.decisions;
    for (const call of calls) lab.decide(call, parts);
    return serve(calls.length);
  };
  for (const name of NAMES) ask(name);
  lab.answers(client);
  const again = NAMES.toReversed().reduce((sum, name) => sum + ask(name), 0);
  assert.equal(lab.answers(client).length, NAMES.length);
  return NAMES.length - again;
}
