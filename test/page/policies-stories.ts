/**
 * Policies: seen, edited, put in force, explained, gone back to.
 */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { forgiveRefusals } from "./browser.ts";
import type { World } from "./page.test.ts";

/** In place of what the editor holds. */
async function write(page: Page, text: string): Promise<void> {
  const editor = page.locator(".cm-content");
  await editor.click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

async function textOf(page: Page): Promise<string> {
  return (await page.locator(".cm-content .cm-line").allTextContents()).join("\n");
}

function policyOf(name: string, priority: number, zone: string, more = ""): string {
  return `apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: { name: ${name} }
spec:
  priority: ${priority}
  subject: { tenants: [platform] }
  rules:
    - name: deny
      match: { names: ["${zone}"] }
      action: Deny
${more}`;
}

export function describePolicies(world: World): void {
  describe("policies", () => {
    it("are shown as they were written, with what became of them and how often each rule decided", async () => {
      const { deployment } = world;
      for (let each = 0; each < 3; each++) await deployment.ask("frontend", "www.example.com");
      const { page } = await world.open("policies/set/DnsPolicy/frontend-no-com");
      await page.getByText("# The shop's pages call it by name.").waitFor();
      await page.getByText("Programmed").waitFor();
      const gutter = page.locator(".cm-rule-hits .cm-gutterElement", { hasText: "×" });
      await gutter
        .filter({ hasText: /^[3-9] ×$|^\d\d+ ×$/ })
        .first()
        .waitFor({ timeout: 15_000 });
      // Of the third, there is something else to say.
      await page.locator(".cm-rule-hits .shadowed").waitFor();
      assert.equal(await gutter.count(), 2);
    });

    it("have rules marked that never have a word, and say why", async () => {
      const { page } = await world.open("policies/set/DnsPolicy/frontend-no-com");
      await page.locator(".cm-rule-hits .shadowed", { hasText: /^shadowed$/ }).waitFor();
      const looks = page.getByRole("region", { name: "Worth a second look" });
      const line = looks.getByRole("listitem").filter({ hasText: "got cdn, of which everything is decided before" });
      // As it is numbered in the editor.
      await line.getByText("line 15, spec.rules[2]").waitFor();
      await page.locator(".cm-lintRange-warning", { hasText: "name: cdn" }).first().waitFor();
      await page.getByRole("link", { name: "frontend-no-com ! worth a second look" }).waitFor();
      await page.getByRole("link", { name: "The whole set" }).click();
      await looks.getByRole("link", { name: "DnsPolicy/frontend-no-com" }).first().waitFor();
    });

    it("are completed by the schema, and checked by it while one writes", async () => {
      const { page } = await world.open("policies/set/new");
      await write(page, policyOf("written", 300, "*.x.example", "      respo"));
      await page.keyboard.press("Control+Space");
      await page.locator(".cm-completionLabel", { hasText: /^response$/ }).waitFor();
      // The editor takes a list that has only just come up for one that nobody has read.
      await page.waitForTimeout(150);
      await page.keyboard.press("Enter");
      await page.keyboard.insertText("{ code: N");
      await page.keyboard.press("Control+Space");
      await page.locator(".cm-completionLabel", { hasText: /^NODATA$/ }).click();
      assert.match(await textOf(page), /response: \{ code: NODATA/);
      await write(page, policyOf("written", 300, "*.x.example").replace("Deny", "Dny"));
      await page.locator(".cm-lintRange-error", { hasText: "Dny" }).waitFor();
      const [upToTenants = ""] = policyOf("written", 300, "*.x.example").split("platform");
      await write(page, upToTenants);
      await page.keyboard.press("Control+Space");
      await page.locator(".cm-completionLabel", { hasText: /^platform$/ }).waitFor();
    });

    it("are put in force with a reason, and taken back, by the keyboard alone", async () => {
      const { deployment } = world;
      assert.equal((await deployment.ask("platform", "www.example.org")).rcode, "NOERROR");
      const { page } = await world.open("policies/set/new");
      await write(page, policyOf("kept-apart", 310, "*.org"));
      await page.keyboard.press("ControlOrMeta+s");
      const review = page.getByRole("region", { name: "A new resource" }).last();
      await review.getByText("DnsPolicy/kept-apart").waitFor();
      await review.getByText('+      match: { names: ["*.org"] }').waitFor();
      // From the heading, where the focus is, to close, the diff, the reason, and what puts it in force.
      assert.equal(await page.evaluate("document.activeElement.id"), "review-title");
      for (let step = 0; step < 3; step++) await page.keyboard.press("Tab");
      await page.keyboard.type("nobody of platform asks there");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.getByText(/is in force, obeyed by 1 workers?\./).waitFor();
      const denied = await deployment.ask("platform", "www.example.org");
      assert.deepEqual([denied.rcode, denied.ede[0]?.text], ["NXDOMAIN", "platform/kept-apart/deny"]);

      await page.getByRole("link", { name: "History" }).click();
      await page.getByRole("link", { name: /nobody of platform asks there/ }).waitFor();
      await page.locator(".diff .added", { hasText: "kept-apart" }).waitFor();
      await page.locator(".versions li:nth-child(2) a").click();
      await page.getByRole("button", { name: "Roll back to it" }).click();
      await page.locator(".review .removed", { hasText: "kept-apart" }).waitFor();
      await page.getByRole("button", { name: "Put in force" }).click();
      await page.getByText(/is in force, obeyed/).waitFor();
      assert.equal((await deployment.ask("platform", "www.example.org")).rcode, "NOERROR");
    });

    it("that are not valid are refused by the service, which says where", async () => {
      const { page } = await world.open("policies/set/new");
      await write(page, policyOf("nobodys", 320, "*.x.example").replace("platform", "nobody"));
      await page.keyboard.press("ControlOrMeta+s");
      await page.getByRole("alert").getByText("spec.subject.tenants[0]").waitFor();
      await page.locator(".cm-lintRange-error", { hasText: "nobody" }).waitFor();
      forgiveRefusals(world.tabs);
    });

    it("are not put over what somebody else has changed meanwhile", async () => {
      const { deployment } = world;
      await deployment.put(policyOf("contested", 330, "*.one.example"), "the first");
      const { page } = await world.open("policies/set/DnsPolicy/contested");
      await page.getByText("*.one.example").waitFor();
      await write(page, policyOf("contested", 330, "*.two.example"));
      await deployment.put(policyOf("contested", 331, "*.one.example"), "somebody else's");
      await page.getByRole("button", { name: "Review" }).click();
      await page
        .getByRole("alert")
        .getByText(/somebody else's/)
        .waitFor();
      await page.getByRole("button", { name: /Review it against version/ }).click();
      await page.locator(".review .removed", { hasText: "priority: 331" }).waitFor();
      forgiveRefusals(world.tabs);
    });

    it("are deleted", async () => {
      const { deployment } = world;
      await deployment.put(policyOf("short-lived", 340, "*.gone.example"));
      const { page } = await world.open("policies/set/DnsPolicy/short-lived");
      await page.getByRole("button", { name: "delete" }).click();
      await page.locator(".review .removed", { hasText: "short-lived" }).waitFor();
      await page.getByRole("button", { name: "Put in force" }).click();
      await page.getByText(/is in force, obeyed/).waitFor();
      await page.getByRole("link", { name: "short-lived" }).waitFor({ state: "detached" });
    });

    it("are explained as they are, and as they would be after what is being written", async () => {
      const { page } = await world.open("policies/set/DnsPolicy/frontend-no-com");
      await page.getByText("*.com").waitFor();
      await write(page, policyOf("frontend-no-com", 100, "*.net").replace("platform", "frontend"));
      await page.getByRole("link", { name: "Explain" }).click();
      await page.getByLabel("Client", { exact: true }).fill("127.0.1.1");
      await page.getByLabel("asks for").fill("www.example.com");
      await page.keyboard.press("Enter");
      await page.getByRole("region", { name: "In force" }).getByText("Denied: NXDOMAIN").waitFor();
      const after = page.getByRole("region", { name: "After the change" });
      await after.getByText("Forwarded to public (DoT)").waitFor();
      await after.getByRole("row", { name: /frontend-no-com\/deny .* no match: names/ }).waitFor();
    });
  });
}
