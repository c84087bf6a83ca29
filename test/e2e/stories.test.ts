/**
 * Every story on a real Envoy, but for those in which more time passes than a test can wait.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EnvoyWorld } from "../stories/envoy-world.ts";
import { play } from "../stories/play.ts";
import { playsOnEnvoy, readStory } from "../stories/story.ts";

const scenarios = fileURLToPath(new URL("../scenarios/", import.meta.url));
/** Real time passes between a question and its answer, and between two steps. */
const SLACK = { ttlSeconds: 2, latenessMs: 250 };

describe("stories on Envoy", () => {
  const files = readdirSync(scenarios).filter((name) => name.endsWith(".story.yaml"));
  for (const story of files.map((file) => readStory(`${scenarios}${file}`)).filter(playsOnEnvoy)) {
    it(story.story, async function () {
      this.timeout(90_000);
      const world = await EnvoyWorld.open(story);
      try {
        await play(story, world, SLACK);
      } finally {
        await world.close();
      }
    });
  }
});
