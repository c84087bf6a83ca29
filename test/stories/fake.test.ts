/**
 * Every story on the fake host.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";
import { play } from "./play.ts";
import { readStory } from "./story.ts";

const scenarios = fileURLToPath(new URL("../scenarios/", import.meta.url));

describe("stories on the fake host", () => {
  for (const file of readdirSync(scenarios).filter((name) => name.endsWith(".story.yaml"))) {
    const story = readStory(`${scenarios}${file}`);
    it(story.story, async function () {
      this.timeout(20_000);
      const world = await FakeWorld.open(filterWasm, story);
      try {
        await play(story, world, { ttlSeconds: 0, latenessMs: 0 });
      } finally {
        await world.close();
      }
    });
  }
});
