/**
 * A picture of each view, as somebody finds it who opens the page.
 */
import { stat } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { openTab } from "./browser.ts";
import type { Deployment } from "./deployment.ts";

export interface Picture {
  readonly name: string;
  readonly octets: number;
  /** What the browser complained about. */
  readonly complaints: readonly string[];
}

interface Scene {
  readonly name: string;
  readonly view: string;
  readonly theme: "light" | "dark";
  /** What is there when there is something to see. */
  readonly shows: string;
}

const SCENES: readonly Scene[] = [
  { name: "overview", view: "overview", theme: "light", shows: ".charts .u-over" },
  { name: "overview-dark", view: "overview", theme: "dark", shows: ".charts .u-over" },
];

export async function takePictures(
  browser: Browser,
  { address }: Deployment,
  fileOf: (name: string) => string,
): Promise<readonly Picture[]> {
  const pictures: Picture[] = [];
  for (const { name, view, theme, shows } of SCENES) {
    const { page, complaints } = await openTab(browser, address, { colorScheme: theme });
    await page.goto(`${address}/#/${view}`);
    await page.locator(shows).first().waitFor();
    const path = fileOf(name);
    await page.screenshot({ path });
    await page.context().close();
    pictures.push({ name, octets: (await stat(path)).size, complaints });
  }
  return pictures;
}
