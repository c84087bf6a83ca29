/**
 * Who a client is changes with its pod, by the same policy: at once, and for whoever waits as well.
 */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { objectsOf } from "../extproc/mesh/objects.ts";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";
import { readStory } from "./story.ts";

const story = readStory(fileURLToPath(new URL("../scenarios/pods.story.yaml", import.meta.url)));
const CLIENT = "127.0.1.1";

function pod(labels: string) {
  return objectsOf(
    `apiVersion: v1\nkind: Pod\nmetadata: { name: one, namespace: web, labels: { ${labels} } }\nstatus: { podIP: ${CLIENT}, podIPs: [{ ip: ${CLIENT} }] }\n`,
  );
}

describe("pods in the filter", () => {
  let world: FakeWorld;
  beforeEach(async () => {
    world = await FakeWorld.open(filterWasm, story);
  });
  afterEach(() => world.close());

  const ask = async (name = "www.example.org", from = CLIENT) =>
    (await world.ask({ name, type: "A", from, over: "tcp" }, 5000))?.answer.rcode;

  it("that change make their clients others at once, and cost no other verdict", async () => {
    assert.equal(await ask(), "NOERROR");
    const { sequence } = world.policy;
    for (const [labels, expected] of [
      ["app: locked", "NXDOMAIN"],
      ["app: open", "NOERROR"],
    ] as const) {
      world.policy.changeObjects({ set: pod(labels) });
      world.settle();
      assert.equal(await ask(), expected, labels);
    }
    // Its verdicts are known still: what is asked is who it is.
    const { decisions } = world.policy;
    assert.equal(await ask(), "NOERROR");
    assert.deepEqual([world.policy.sequence, world.policy.decisions], [sequence, decisions]);
  });

  it("that change while their question is at the upstream get what they may have now", async () => {
    assert.equal(await ask(), "NOERROR");
    const upstream = world.upstream("public");
    upstream.script = (asked) => {
      world.policy.changeObjects({ set: pod("app: locked") });
      return upstream.truth(asked);
    };
    assert.equal(await ask("other.example.org"), "NXDOMAIN");
    upstream.script = (asked) => {
      // Another's change is nothing to it.
      world.policy.changeObjects({ set: pod("app: open") });
      return upstream.truth(asked);
    };
    assert.equal(await ask("third.example.org", "127.0.2.1"), "NOERROR");
  });
});
