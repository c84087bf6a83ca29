/**
 * Overview: sums, charts and health of what was really asked.
 */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { eventually } from "../e2e/clients/deadline.ts";
import type { World } from "./page.test.ts";

/** Workers report every second; a chart has points of ten seconds, shown when they are over. */
const TOLD_MS = 20_000;

export function describeOverview(world: World): void {
  describe("the overview", () => {
    it("has every tenant's queries and denials, in figures and as lines", async () => {
      const { deployment } = world;
      for (let each = 0; each < 20; each++) {
        await deployment.ask("backend", "www.example.com");
        await deployment.ask("frontend", "www.example.com");
      }
      await deployment.ask("nobody", "www.example.com");
      const { page } = await world.open("overview");
      const row = page.getByRole("row", { name: /^frontend/ });
      const denied = async () => Number((await row.getByRole("cell").nth(3).textContent())?.split(" ")[0]);
      await eventually(TOLD_MS, "20 denials of frontend", async () => (await denied()) >= 20);
      await page.getByRole("row", { name: /^\(no tenant\)/ }).waitFor();
      const chart = page.getByRole("figure", { name: /^Denied/ });
      await eventually(TOLD_MS, "a line in the colour of frontend", () => isDrawn(page, "Denied", "frontend"));
      assert.match((await chart.textContent()) ?? "", /frontend.*\/s/);
    });

    it("is of one tenant, and of another time, when one wants that", async () => {
      const { page } = await world.open("overview");
      await page.getByRole("link", { name: "backend" }).first().click();
      await page.getByRole("figure", { name: /^Latency.*p99.*p50/ }).waitFor();
      assert.equal(await page.getByRole("row", { name: /^frontend/ }).count(), 0);
      await page.getByRole("combobox", { name: "Time" }).selectOption("1h");
      assert.match(page.url(), /#\/overview\?window=1h&tenant=backend$/);
      await page.getByRole("combobox", { name: "Tenant" }).selectOption("");
      await page.getByRole("row", { name: /^frontend/ }).waitFor();
    });

    it("says who is well, and what changed lately", async () => {
      const { deployment } = world;
      await deployment.ask("backend", "fresh.wild.example.com");
      await deployment.put(
        `apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: { name: lately }
spec: { priority: 350, subject: { tenants: [platform] }, rules: [{ name: r, match: { names: [x.example] }, action: Deny }] }
`,
        'it is <b>"better"</b> so',
      );
      await deployment.put(
        "apiVersion: dns.mesh/v1alpha1\nkind: NameList\nmetadata: { name: ads }\nspec: { inline: [a.example, b.example] }\n",
      );
      const { page } = await world.open("overview");
      const health = page.getByRole("region", { name: "Health" });
      await health.getByText(/: 1 of 1 worker connected, at revision/).waitFor();
      await health
        .getByRole("listitem")
        .filter({ hasText: /well: List ads: 2 names from inline/ })
        .waitFor();
      await health
        .getByRole("listitem")
        .filter({ hasText: /well: Upstream public: \d+ quer/ })
        .waitFor({ timeout: TOLD_MS });
      const lately = page.getByRole("region", { name: "What changed lately" });
      await lately.getByText('it is <b>"better"</b> so').waitFor();
      await lately.getByRole("listitem").filter({ hasText: "better" }).getByRole("link").click();
      await page.locator(".diff .added", { hasText: "lately" }).waitFor();
    });
  });
}

/** Whether a chart has pixels of the colour that its legend gives a line. */
function isDrawn(page: Page, title: string, line: string): Promise<boolean> {
  return page.evaluate<boolean>(`(() => {
    const figure = [...document.querySelectorAll("figure")].find((each) => each.textContent.startsWith("${title}"));
    const entry = [...figure.querySelectorAll("li")].find((each) => each.textContent.includes("${line}"));
    const [red, green, blue] = getComputedStyle(entry.querySelector("line")).stroke.match(/\\d+/g).map(Number);
    const { width, height } = figure.querySelector("canvas");
    const { data } = figure.querySelector("canvas").getContext("2d").getImageData(0, 0, width, height);
    for (let at = 0; at < data.length; at += 4)
      if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) return true;
    return false;
  })()`);
}
