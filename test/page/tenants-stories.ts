/**
 * Tenants: whose names they look up, what they ask for most, and what would be denied; and how upstreams answer.
 */
import assert from "node:assert/strict";
import { eventually } from "../e2e/clients/deadline.ts";
import type { World } from "./page.test.ts";

const TOLD_MS = 20_000;

export function describeTenants(world: World): void {
  describe("tenants", () => {
    it("are drawn with whose names they look up, and what they were denied", async () => {
      const { deployment } = world;
      for (let each = 0; each < 3; each++) {
        await deployment.ask("frontend", "orders.shop.svc.cluster.local");
        await deployment.ask("platform", "cart.web.svc.cluster.local");
        await deployment.ask("frontend", "www.example.com");
      }
      const { page } = await world.open("tenants");
      const map = page.getByRole("figure", { name: "Who looks up whose names" });
      await map.getByText("backend’s names").waitFor({ timeout: TOLD_MS });
      await map.getByText("frontend’s names").waitFor();
      await map.getByText("The same as a table").click();
      await map.getByRole("row", { name: /^frontend shop\.svc\.cluster\.local\. backend \d+ 0$/ }).waitFor();
      await map.getByRole("row", { name: /^platform web\.svc\.cluster\.local\. frontend \d+ 0$/ }).waitFor();
      await map.getByRole("row", { name: /^frontend example\.com\. \d+ [1-9]\d*$/ }).waitFor();
      await map.getByRole("link", { name: /^frontend/ }).click();
      await page.getByRole("region", { name: "Denied most" }).getByRole("link", { name: "www.example.com" }).click();
      assert.match(page.url(), /#\/live\?verdict=denied&tenant=frontend&name=www\.example\.com\.$/);
    });

    it("have rules on trial, with the change that enforces one, which the editor takes", async () => {
      const { deployment } = world;
      const { page } = await world.open("tenants");
      const trial = page.getByRole("region", { name: "On trial" });
      await eventually(
        TOLD_MS,
        "a query on trial",
        async () => {
          await deployment.ask("backend", "cdn.example.net");
          return trial.getByRole("link", { name: "backend-names/only-known-zones" }).isVisible();
        },
        500,
      );
      await page
        .getByRole("region", { name: "Would be denied most" })
        .getByRole("link", { name: "cdn.example.net" })
        .waitFor();
      await trial.getByRole("button", { name: "Show what enforces it" }).click();
      await trial.locator(".diff .removed", { hasText: /^-\s+mode: Audit$/ }).waitFor();
      await trial.locator(".diff .added", { hasText: /^\+\s+mode: Enforce$/ }).waitFor();
      assert.equal((await deployment.ask("backend", "cdn.example.net")).rcode, "NOERROR");
      await trial.getByRole("button", { name: "Open it in the editor" }).click();
      await page.getByRole("button", { name: "Review" }).click();
      await page.locator(".review .added", { hasText: "mode: Enforce" }).waitFor();
      assert.match(await page.getByLabel(/^Reason/).inputValue(), /^backend-names\/only-known-zones in earnest/);
      await page.getByRole("button", { name: "Put in force" }).click();
      await page.getByText(/is in force, obeyed/).waitFor();
      assert.equal((await deployment.ask("backend", "cdn.example.net")).rcode, "NXDOMAIN");
      await page.getByRole("link", { name: "Tenants" }).click();
      await trial.getByText("No rule in mode Audit").waitFor();
    });
  });

  describe("upstreams", () => {
    it("have what went there and how they answered, and what they are made of", async () => {
      const { deployment } = world;
      await deployment.ask("platform", "git.corp.example");
      await deployment.ask("backend", "once.wild.example.com");
      const { page } = await world.open("upstreams");
      await page.getByRole("row", { name: /^corp DoH [1-9]\d* .*ms/ }).waitFor({ timeout: TOLD_MS });
      // Of its answers, one server gave all; its certificate was looked at.
      const server = /^127\.0\.0\.1:\d+ dns\.upstream\.example [1-9]\d* .*100 % .* until \d+ \w+ 20\d\d/;
      await page.getByRole("row", { name: server }).nth(1).waitFor({ timeout: TOLD_MS });
      await page.getByRole("row", { name: /^public DoT/ }).waitFor();
      await page.getByRole("row", { name: /^127\.0\.0\.1:\d+ .* none: TCP$/ }).waitFor();
      await page.getByRole("link", { name: "corp", exact: true }).click();
      await page.getByText("protocol: DoH").waitFor();
    });
  });
}
