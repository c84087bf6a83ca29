/**
 * The page in a real Chromium, with data of real queries through a real Envoy.
 */
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { eventually } from "../e2e/clients/deadline.ts";
import { launchChromium, openTab, type Tab, violationsOf } from "./browser.ts";
import { describeConnections } from "./connections-stories.ts";
import { Deployment } from "./deployment.ts";
import { describeLive } from "./live-stories.ts";
import { describeOverview } from "./overview-stories.ts";
import { describePolicies } from "./policies-stories.ts";
import { describeTenants } from "./tenants-stories.ts";
import { Traffic } from "./traffic.ts";

/** In the order of the navigation and of the keys from 1 on. */
const VIEWS = ["Overview", "Live", "Tenants", "Policies", "Upstreams", "Connections"];

/** Places in the page, and what is there when there is something to see. */
const SHOWN = [
  ["overview", ".charts canvas"],
  ["live", ".track .query"],
  ["tenants", ".map .band"],
  ["policies", ".resources li"],
  ["policies/set/set", ".resources li"],
  ["policies/explain?client=127.0.1.1&name=www.example.com", ".fates td"],
  ["policies/history", ".diff"],
  ["upstreams", ".upstreams .server td"],
  ["connections", ".connections td"],
] as const;

/** What all stories are told with. */
export interface World {
  readonly deployment: Deployment;
  readonly browser: Browser;
  /** Of this story. */
  readonly tabs: readonly Tab[];
  /** A tab at a view, in whatever theme; it is checked and closed when the story ends. */
  open(view: string, theme?: "light" | "dark"): Promise<Tab>;
}

describe("the page", function () {
  this.timeout(60_000);
  let deployment: Deployment;
  let browser: Browser;
  const tabs: Tab[] = [];

  before(async () => {
    deployment = await Deployment.start();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await deployment?.stop();
  });
  afterEach(async () => {
    for (const { page, complaints } of tabs.splice(0)) {
      await page.context().close();
      assert.deepEqual(complaints, []);
    }
  });

  const world: World = {
    tabs,
    get deployment() {
      return deployment;
    },
    get browser() {
      return browser;
    },
    async open(view, theme = "light") {
      const tab = await openTab(browser, deployment.address, { colorScheme: theme });
      tabs.push(tab);
      await tab.page.goto(`${deployment.address}/#/${view}`);
      return tab;
    },
  };

  it("is painted within a second", async () => {
    const { page } = await world.open("overview");
    await page.waitForSelector(".masthead");
    const paint = (await page.evaluate(
      'performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity',
    )) as number;
    assert.ok(paint < 1000, `first contentful paint after ${paint} ms`);
  });

  it("goes from view to view by keys, and says where it is", async () => {
    const { page } = await world.open("policies");
    await page.waitForSelector("nav a[aria-current=page]");
    assert.deepEqual(await page.getByRole("navigation", { name: "Views" }).getByRole("link").allTextContents(), VIEWS);
    await page.keyboard.press(String(VIEWS.indexOf("Upstreams") + 1));
    await page
      .getByRole("navigation", { name: "Views" })
      .locator("[aria-current]", { hasText: /^Upstreams$/ })
      .waitFor();
    // Asked from here: what Playwright has the page poll for, the page's content security policy refuses to evaluate.
    await eventually(10_000, "a title of the view", async () => (await page.title()).startsWith("Upstreams"));
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog", { name: "Keys" }).waitFor({ state: "hidden" });
    await page.reload();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the view");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
  });

  it("may have nothing in it that runs or styles but its own files", async () => {
    const { page, complaints } = await world.open("policies");
    await page.waitForSelector(".masthead");
    await page.evaluate(`{
      const script = document.createElement("script");
      script.append("window.ran = true");
      try { document.head.append(script); } catch {}
      const style = document.createElement("style");
      style.append("body { color: red }");
      document.head.append(style);
    }`);
    assert.equal(await page.evaluate("window.ran"), undefined);
    assert.notEqual(await page.evaluate("getComputedStyle(document.body).color"), "rgb(255, 0, 0)");
    await assert.rejects(page.evaluate('document.body.innerHTML = "<b>x</b>"'), /TrustedHTML/);
    const refused = complaints.splice(0);
    assert.ok(
      refused.length >= 2 && refused.every((text) => /Content Security Policy|TrustedHTML|TrustedScript/.test(text)),
      refused.join("\n"),
    );
  });

  describe("has nothing that axe objects to", () => {
    let traffic: Traffic;
    before(async () => {
      traffic = await Traffic.start(deployment, 20);
    });
    after(() => traffic.stop());

    for (const [view, shown] of SHOWN) {
      for (const theme of ["light", "dark"] as const) {
        it(`in ${view}, ${theme}`, async () => {
          const { page } = await world.open(view, theme);
          await page.locator(shown).first().waitFor({ state: "attached" });
          assert.deepEqual(await violationsOf(page), []);
        });
      }
    }
  });

  describePolicies(world);
  describeOverview(world);
  describeLive(world);
  describeTenants(world);
  describeConnections(world);
});
