/**
 * Connections that went where DNS had led them, or did not; upstreams that are compared; endpoints that are ill.
 */
import assert from "node:assert/strict";
import { eventually } from "../e2e/clients/deadline.ts";
import { BY_HAND, NOBODY, SERVER } from "./egress.ts";
import type { World } from "./page.test.ts";

const TOLD_MS = 20_000;

export function describeConnections(world: World): void {
  describe("connections", () => {
    it("are shown by what became of them, and which names resolved and could not be reached", async () => {
      const { deployment } = world;
      await deployment.ask("frontend", "ledger.example.org");
      assert.equal(await deployment.connect("frontend", SERVER), true);
      await deployment.ask("frontend", "retired.example.org");
      assert.equal(await deployment.connect("frontend", NOBODY), false);
      assert.equal(await deployment.connect("frontend", BY_HAND), false);
      const { page } = await world.open("connections");
      const unreachable = page.getByRole("region", { name: "Resolved, then failed to connect" });
      await unreachable
        .getByRole("row", { name: /^retired\.example\.org 127\.8\.0\.11:\d+ frontend [1-9]\d*$/ })
        .waitFor({ timeout: TOLD_MS });
      assert.equal(await unreachable.getByText("ledger").count(), 0);
      const refused = page.getByRole("region", { name: "Refused", exact: true });
      await refused.getByRole("row", { name: /^127\.8\.0\.12:\d+ frontend [1-9]\d*$/ }).waitFor();
      assert.equal(await refused.getByText(SERVER).count(), 0);
      await page
        .getByRole("region", { name: "By tenant" })
        .getByRole("row", { name: /^frontend [1-9]\d* [1-9]\d* 0 [1-9]\d* [1-9]\d* / })
        .waitFor();
      await unreachable.getByRole("link", { name: "retired.example.org" }).click();
      assert.match(page.url(), /#\/live\?tenant=frontend&name=retired\.example\.org\.$/);
    });

    it("are part of how it goes, with endpoints that are ill", async () => {
      const { page } = await world.open("overview");
      const items = page.getByRole("region", { name: "Health" }).getByRole("listitem");
      const [failed, ill] = [
        items.filter({ hasText: /: Connections: \d+ came about, [1-9]\d* failed after their name had resolved/ }),
        items.filter({ hasText: /to be looked at: 1 of 2 endpoints .* are ill: 127\.8\.0\.11 \(tcp:/ }),
      ];
      await failed.waitFor({ timeout: TOLD_MS });
      await ill.waitFor({ timeout: TOLD_MS });
      await failed.getByRole("link").click();
      await page.getByRole("heading", { name: "Connections" }).waitFor();
    });
  });

  describe("second upstreams", () => {
    it("are compared with the first, and the names of which they say something else are told", async () => {
      const { deployment } = world;
      const { page } = await world.open("upstreams");
      const compared = page.getByRole("region", { name: "Asked too, to compare" });
      const row = compared.getByRole("row", { name: /^corp-next platform [1-9]\d* [1-9]\d* / });
      await eventually(
        TOLD_MS,
        "answers that differ",
        async () => {
          for (const name of ["git", "wiki", "gone"]) await deployment.ask("platform", `${name}.corp.example`);
          return (await row.count()) > 0;
        },
        1100,
      );
      await compared.getByRole("row", { name: /^wiki\.corp\.example A NOERROR other records \(corp-next\)/ }).waitFor();
      await compared.getByRole("row", { name: /^gone\.corp\.example A NXDOMAIN NOERROR \(corp-next\)/ }).waitFor();
      assert.equal(await compared.getByRole("row", { name: /^git/ }).count(), 0);
    });
  });
}
