/**
 * The page: every view has a picture of a real run, and the live view keeps its frames at a thousand queries a second.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { launchChromium, openTab } from "../page/browser.ts";
import { Deployment } from "../page/deployment.ts";
import { takePictures } from "../page/pictures.ts";
import { Traffic } from "../page/traffic.ts";
import { type Proof, type Report, scaled } from "./proof.ts";

const RATE = 1000;
const SECONDS = 60;
const FIRST_PAINT_MS = 1000;
const GAP_MS = 100;
/** Workers tell every second of what they have answered. */
const BEHIND_MS = 3000;
const PAINTS = 5;
/** A picture with nothing in it has less. */
const LEAST_OCTETS = 15_000;

export const page: Proof = {
  name: "page",
  what: "a picture of each view from a real run, painted within a second; live at 1,000 queries/s without a frame gap over 100 ms",
  async run(scale, report) {
    const folder = await mkdtemp(join(tmpdir(), "pictures-"));
    const deployment = await Deployment.start();
    const browser = await launchChromium();
    try {
      const traffic = await Traffic.start(deployment, RATE);
      await paint(browser, deployment, report);
      await watch(browser, deployment, scaled(SECONDS, scale, 6), report);
      for (const { name, octets, complaints } of await takePictures(browser, deployment, (name) =>
        join(folder, `${name}.png`),
      )) {
        report.figure(`octets of the picture ${name}`, octets);
        report.check(octets >= LEAST_OCTETS, `${name}: expected something in the picture, got ${octets} octets`);
        report.check(complaints.length === 0, `${name}: expected no complaint, got ${complaints.join("; ")}`);
      }
      const loads = await traffic.stop();
      report.figure(
        "queries sent",
        loads.reduce((sum, { sent }) => sum + sent, 0),
      );
    } finally {
      await browser.close();
      await deployment.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** By a browser that has nothing of the page yet. */
async function paint(browser: Browser, { address }: Deployment, report: Report): Promise<void> {
  const paints: number[] = [];
  for (let each = 0; each < PAINTS; each++) {
    const tab = await openTab(browser, address);
    await tab.page.locator(".masthead nav").waitFor();
    await tab.page.locator(".figures, .empty").first().waitFor();
    paints.push(await tab.page.evaluate<number>('performance.getEntriesByName("first-contentful-paint")[0].startTime'));
    await tab.page.context().close();
  }
  paints.sort((a, b) => a - b);
  report.inTime("median of first contentful paints, ms", paints[Math.floor(PAINTS / 2)] ?? Infinity, FIRST_PAINT_MS);
}

/** Of the frames of so many seconds. */
interface Frames {
  readonly frames: number;
  readonly gaps: readonly number[];
  readonly longTasks: readonly number[];
}

const MEASURE = `(() => {
  const gaps = [], longTasks = [];
  let frames = 0, last = performance.now(), running = true;
  const frame = (now) => {
    if (!running) return;
    frames++;
    gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame((now) => { last = now; requestAnimationFrame(frame); });
  new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
  window.endMeasure = () => { running = false; return { frames, gaps: gaps.filter((gap) => gap > 50), longTasks }; };
})()`;

async function watch(browser: Browser, { address }: Deployment, seconds: number, report: Report): Promise<void> {
  const { page: tab, complaints } = await openTab(browser, address);
  await tab.goto(`${address}/#/live`);
  await tab.locator(".track .query").first().waitFor();
  await tab.evaluate(MEASURE);
  const before = await newest(tab);
  const started = performance.now();
  await pause(seconds * 1000);
  const after = await newest(tab);
  const elapsed = (performance.now() - started) / 1000;
  const { frames, gaps, longTasks } = await tab.evaluate<Frames>("endMeasure()");
  const rate = (after.number - before.number) / elapsed;
  report.atRate("queries a second that the live view took", rate, RATE * 0.9);
  report.inTime("the newest is behind, ms", after.behindMs, BEHIND_MS);
  report.figure("frames a second", frames / elapsed);
  report.figure("tasks of more than 50 ms", longTasks.length);
  report.inTime("longest gap between frames, ms", Math.max(0, ...gaps), GAP_MS);
  report.check((await tab.getByText(/left out/).count()) === 0, "expected no query left out, got some");
  report.check(complaints.length === 0, `live: expected no complaint, got ${complaints.join("; ")}`);
  await tab.context().close();
}

/** Queries are numbered as they come. */
async function newest(tab: Awaited<ReturnType<typeof openTab>>["page"]): Promise<{ number: number; behindMs: number }> {
  return tab.evaluate(`(() => {
    const row = document.querySelector("[aria-posinset='1']");
    const [hours, minutes, seconds] = row.firstElementChild.textContent.split(":").map(Number);
    const then = new Date().setHours(hours, minutes, 0, seconds * 1000);
    return { number: Number(row.id.replace("query-", "")), behindMs: Date.now() - then };
  })()`);
}
