/**
 * `npm run pictures [-- FOLDER]`: pictures of the page's views, from a real run; those of docs/ are made by it.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { launchChromium } from "./browser.ts";
import { Deployment } from "./deployment.ts";
import { takePictures } from "./pictures.ts";
import { Traffic } from "./traffic.ts";

const RATE = 120;
/** The charts of the pictures tell of a minute, and compare it with the one before. */
const SECONDS = Number(process.env.PICTURE_SECONDS ?? 130);

const folder = process.argv[2] ?? fileURLToPath(new URL("../../docs/pictures", import.meta.url));
await mkdir(folder, { recursive: true });
const deployment = await Deployment.start();
const browser = await launchChromium();
try {
  const traffic = await Traffic.start(deployment, RATE);
  await pause(SECONDS * 1000);
  for (const { name, octets } of await takePictures(browser, deployment, (name) => join(folder, `${name}.png`))) {
    console.log(`${name}: ${Math.round(octets / 1024)} KiB`);
  }
  await traffic.stop();
} finally {
  await browser.close();
  await deployment.stop();
}
