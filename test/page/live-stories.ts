/**
 * Live: queries as they come, filtered, held, looked into; whatever their names are made of.
 */
import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import { eventually } from "../e2e/clients/deadline.ts";
import { encodeOctetsQuestion } from "../e2e/dns.ts";
import { forgiveRefusals, violationsOf } from "./browser.ts";
import type { World } from "./page.test.ts";

export function describeLive(world: World): void {
  describe("live", () => {
    it("shows queries as they come, of whom and what one wants to see", async () => {
      const { deployment } = world;
      const { page } = await world.open("live?tenant=frontend");
      const rows = rowsOf(page);
      const ask = async () => {
        await deployment.ask("frontend", "www.example.com");
        await deployment.ask("frontend", "www.example.org", "AAAA");
        await deployment.ask("backend", "www.example.net");
      };
      const denied = /www\.example\.com.*A.*denied.*frontend-no-com\/deny-com/;
      await askUntilSeen(rows.filter({ hasText: denied }), ask);
      await askUntilSeen(rows.filter({ hasText: /www\.example\.org.*AAAA.*allowed/ }), ask);
      assert.equal(await rows.filter({ hasText: "backend" }).count(), 0);

      await page.getByLabel("Name").fill("*.net");
      await page.getByRole("combobox", { name: "Tenant" }).selectOption("");
      await page.getByLabel("Type").fill("a");
      await eventually(15_000, "the filter in the address", () => /type=a/.test(page.url()));
      await askUntilSeen(rows, ask);
      assert.equal(await rows.filter({ hasNotText: /backend.*www\.example\.net/ }).count(), 0);
    });

    it("holds still by a key, and tells the story of a query and what would become of another one", async () => {
      const { deployment } = world;
      const { page } = await world.open("live?verdict=denied&tenant=frontend");
      const rows = rowsOf(page);
      await askUntilSeen(rows, () => deployment.ask("frontend", "www.example.com"));
      await page.keyboard.press("p");
      await page.getByRole("button", { name: "Go on", pressed: true }).waitFor();
      const held = await rows.count();
      await deployment.ask("frontend", "www.example.com");
      await page.getByText(/^[1-9]\d* newer$/).waitFor();
      assert.equal(await rows.count(), held);

      await page.keyboard.press("j");
      const story = page.getByRole("region", { name: "One query" });
      await story.getByText("Denied: NXDOMAIN, EDE 15").waitFor();
      await story.getByRole("link", { name: "frontend-no-com/deny-com" }).first().waitFor();
      await story.getByText(/in all|at once/).waitFor();
      const explained = story.getByRole("region", { name: "Explained" });
      await explained.getByRole("row", { name: /frontend-no-com\/deny-com Deny decides/ }).waitFor();
      await explained.getByText("What if it were asked otherwise?").click();
      await explained.getByLabel("asks for").fill("assets.example.com");
      await page.keyboard.press("Enter");
      await explained.getByText("Forwarded to public (DoT)").waitFor();

      await page.getByRole("listbox").focus();
      await page.keyboard.press("Home");
      assert.equal(await rowsOf(page).and(page.locator("[aria-selected=true]")).getAttribute("aria-posinset"), "1");
      await page.keyboard.press("Escape");
      await story.waitFor({ state: "detached" });
      await page.keyboard.press("p");
      await page.getByRole("button", { name: "Pause", pressed: false }).waitFor();
    });

    it("shows queries of the past, as far as they are kept", async () => {
      const { deployment } = world;
      for (let host = 1; host <= 3; host++) await deployment.ask("frontend", "past.example.com", "A", host);
      const { page } = await world.open("live?name=past.example.com");
      await page.getByRole("combobox", { name: "When" }).selectOption("of the last hour");
      await eventually(15_000, "the time in the address", () => /since=1h/.test(page.url()));
      const rows = rowsOf(page);
      await eventually(15_000, "three past queries", async () => {
        // What workers have told is written within a second or two.
        if ((await rows.count()) === 3) return true;
        await page.reload();
        await page.getByText(/^\d+ in all$/).waitFor();
        return false;
      });
      assert.equal(await rows.filter({ hasNotText: /frontend.*past\.example\.com.*denied/ }).count(), 0);
      await rows.first().click();
      const story = page.getByRole("region", { name: "One query" });
      await story.getByRole("link", { name: "frontend-no-com/deny-com" }).first().waitFor();
      assert.deepEqual(await violationsOf(page), []);
      await page.getByRole("searchbox", { name: "Client" }).fill("192.0.2.0/24");
      await page.getByText("0 in all").waitFor();
    });

    it("says which rule on trial would have denied a query", async () => {
      const { deployment } = world;
      const { page } = await world.open("live?name=cdn.example.net");
      const row = rowsOf(page).filter({ hasText: /backend.*allowed on trial/ });
      await askUntilSeen(row, () => deployment.ask("backend", "cdn.example.net"));
      await row.first().click();
      const story = page.getByRole("region", { name: "One query" });
      await story.getByText(/backend-names\/only-known-zones, which would have said deny/).waitFor();
      await story.getByText(/203\.0\.113\.80/).waitFor();
    });

    it("shows names of any octets as what they are, and runs none of them", async () => {
      const { deployment } = world;
      const { page } = await world.open("live?client=127.0.3.0/24");
      const hostile: readonly (readonly [octets: string, shown: string])[] = [
        ["<script>alert(1)</script>", "<script>alert(1)</script>.evil.example"],
        ['"><img src=x onerror=alert(1)>', '"><img\\032src=x\\032onerror=alert(1)>.evil.example'],
        ["\xff\x00\n\x1b[31m", "\\255\\000\\010\\027[31m.evil.example"],
        ["\xe2\x80\xae", "\\226\\128\\174.evil.example"],
      ];
      for (const [octets, shown] of hostile) {
        const row = rowsOf(page).filter({ hasText: shown });
        const question = encodeOctetsQuestion(Buffer.from(octets, "latin1"), "evil.example");
        await askUntilSeen(row, () => deployment.askOctets("platform", question));
      }
      await rowsOf(page).filter({ hasText: "<script>" }).first().click();
      const story = page.getByRole("region", { name: "One query" });
      await story.getByRole("heading", { name: "<script>alert(1)</script>.evil.example" }).waitFor();
      await story.getByText("Forwarded to public (DoT)").waitFor();
      assert.equal(await page.evaluate("document.querySelectorAll('script:not([src]), img').length"), 0);
    });

    it("says what is wrong with a filter", async () => {
      const { page } = await world.open("live?client=nowhere");
      await page.getByText(/expected client to be an address or a network/).waitFor();
      forgiveRefusals(world.tabs);
    });
  });
}

/** And not the choices of a filter. */
function rowsOf(page: Page): Locator {
  return page.getByRole("listbox").getByRole("option");
}

/** The stream tells of what comes while it is open, and workers report every second. */
function askUntilSeen(rows: Locator, ask: () => Promise<unknown>): Promise<boolean> {
  const seen = async () => {
    await ask();
    return (await rows.count()) > 0;
  };
  return eventually(15_000, "queries that are shown", seen, 500);
}
