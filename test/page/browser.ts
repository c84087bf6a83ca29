/**
 * A real Chromium, and everything that it complains about.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function launchChromium(): Promise<Browser> {
  const executablePath = PLACES.find((place) => place !== undefined && existsSync(place));
  if (executablePath === undefined) {
    throw new Error(`expected Chromium at one of ${PLACES.slice(1).join(", ")}, or where CHROMIUM says, got none`);
  }
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
    // What people have, pictures and stories have.
    ignoreDefaultArgs: ["--hide-scrollbars"],
  });
}

export interface Tab {
  readonly page: Page;
  /** What the console, the page and its content security policy said was wrong, and requests to elsewhere. */
  readonly complaints: string[];
}

export async function openTab(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Tab> {
  // Axe brings its own text into the page, which the policy of the page would refuse: see violationsOf().
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`thrown: ${error.stack ?? error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${address}/`)) complaints.push(`a request to ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(`${address}/`);
  return { page, complaints };
}

/** Chromium's console tells of every refusal: for stories that are about one. */
export function forgiveRefusals(tabs: readonly Tab[]): void {
  for (const { complaints } of tabs) {
    const told = complaints.splice(0).filter((text) => !/the server responded with a status of 4\d\d/.test(text));
    complaints.push(...told);
  }
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

/** What axe finds in the page as it is now; evaluation comes by the debugger, which no content security policy binds. */
export async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate("axe.run()")) as AxeResult;
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`),
  );
}
