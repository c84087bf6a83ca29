/**
 * A picture of each view, as somebody finds it who opens the page.
 */
import { stat } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
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
  /** What one does to see more. */
  readonly act?: (page: Page) => Promise<void>;
  /** And not what fits a window alone. */
  readonly whole?: true;
}

const SCENES: readonly Scene[] = [
  { name: "overview", view: "overview?window=1m", theme: "light", whole: true, shows: ".charts .u-over" },
  { name: "overview-dark", view: "overview?window=1m", theme: "dark", whole: true, shows: ".charts .u-over" },
  {
    name: "live",
    view: "live",
    theme: "light",
    shows: ".track .query:nth-child(20)",
    act: async (page) => {
      await page.keyboard.press("p");
      await page.locator(".track .query.deny", { hasText: "deny-com" }).first().click();
      await page.locator(".story .fates").waitFor();
    },
  },
  {
    name: "tenants",
    view: "tenants?tenant=backend",
    theme: "light",
    whole: true,
    shows: ".map .owner",
    act: async (page) => {
      await page.getByRole("button", { name: "Show what enforces it" }).click();
      await page.locator(".trial .diff").waitFor();
    },
  },
  {
    name: "policies",
    view: "policies/set/DnsPolicy/frontend-no-com",
    theme: "light",
    shows: ".cm-rule-hits .cm-gutterElement",
  },
  { name: "upstreams", view: "upstreams", theme: "light", whole: true, shows: ".compared td" },
  { name: "connections", view: "connections", theme: "dark", shows: ".connections td" },
];

export async function takePictures(
  browser: Browser,
  { address }: Deployment,
  fileOf: (name: string) => string,
): Promise<readonly Picture[]> {
  const pictures: Picture[] = [];
  for (const { name, view, theme, shows, act, whole = false } of SCENES) {
    const { page, complaints } = await openTab(browser, address, { colorScheme: theme });
    await page.goto(`${address}/#/${view}`);
    await page.locator(shows).first().waitFor();
    await act?.(page);
    const path = fileOf(name);
    await page.screenshot({ path, fullPage: whole });
    await page.context().close();
    pictures.push({ name, octets: (await stat(path)).size, complaints });
  }
  return pictures;
}
