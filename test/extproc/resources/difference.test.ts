import assert from "node:assert/strict";
import { findDifferences } from "../../../extproc/resources/difference.ts";
import { formatDocumentStart, splitListing } from "../../../extproc/resources/document-start.ts";
import { parseResources } from "../../../extproc/resources/parse.ts";

describe("differences of sets", () => {
  const one = (name: string, text: string) => ({ kind: "Tenant", name, text });

  it("are told by resource", () => {
    const before = [one("a", "x: 1\n"), one("b", "y: 1\ny: 2\n"), one("c", "z\n")];
    const after = [one("b", "y: 1\ny: 3\n"), one("c", "z\n"), one("d", "w\n")];
    assert.deepEqual(
      findDifferences(before, after).map(({ name, change, diff }) => [name, change, diff]),
      [
        ["a", "deleted", "--- Tenant/a\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x: 1\n"],
        ["b", "updated", "--- Tenant/b\n+++ Tenant/b\n@@ -1,2 +1,2 @@\n y: 1\n-y: 2\n+y: 3\n"],
        ["d", "created", "--- /dev/null\n+++ Tenant/d\n@@ -0,0 +1,1 @@\n+w\n"],
      ],
    );
    assert.deepEqual(findDifferences(before, before), []);
  });

  it("of long texts that have nothing in common take no longer than these", () => {
    const lines = (letter: string) =>
      `${Array.from({ length: 20_000 }, (_, index) => `${letter}${index}`).join("\n")}\n`;
    const [difference] = findDifferences([one("a", lines("x"))], [one("a", lines("y"))]);
    assert.match(difference?.diff ?? "", /^--- Tenant\/a\n\+\+\+ Tenant\/a\n@@ -1,20000 \+1,20000 @@\n-x0\n/);
    assert.equal(difference?.diff.match(/^\+y/gm)?.length, 20_000);
  });
});

describe("a listing", () => {
  it("is taken apart into what it was made of", () => {
    const resources = [
      { kind: "Tenant", name: "a.b", generation: 3, revision: 1_700_000_000_000, text: "x: |\n  --- # Tenant/c\n" },
      { kind: "Upstream", name: "u", generation: 1, revision: 0, text: "# Tenant/d\n--- x\n" },
    ];
    const listing = resources.map((each) => `${formatDocumentStart(each)}${each.text}`).join("");
    assert.deepEqual(splitListing(listing), resources);
    assert.deepEqual(splitListing("--- # Tenant/old\nx\n"), [
      { kind: "Tenant", name: "old", generation: 1, revision: 0, text: "x\n" },
    ]);
    assert.deepEqual(splitListing(""), []);
  });
});

describe("comments before the first document", () => {
  const text =
    "# Licence\n\n---\n# about it\napiVersion: dns.mesh/v1alpha1\nkind: Settings\nmetadata: {name: default}\nspec: {}\n";

  it("are kept with it, without the line that starts it", () => {
    const { resources } = parseResources(text, "x");
    assert.equal(resources[0]?.origin.kept, text.replace("---\n", ""));
    const stored = `${formatDocumentStart({ kind: "Settings", name: "default", generation: 4, revision: 7 })}${resources[0]?.origin.kept}`;
    const [again] = parseResources(stored, "x").resources;
    assert.deepEqual([again?.lineage, again?.origin.kept], [{ generation: 4, revision: 7 }, resources[0]?.origin.kept]);
  });

  it("move no line of what is wrong", () => {
    const { problems } = parseResources(text.replace("{}", "{x: 1}"), "x");
    assert.deepEqual(
      problems.map(({ line, path }) => [line, path]),
      [[8, "spec.x"]],
    );
  });
});

describe("what the service says of a resource", () => {
  const text = `apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata:
  name: default
  generation: 7
# kept
spec: {}
status:
  conditions: []
`;

  it("may be sent back, and is not kept", () => {
    const { resources, problems } = parseResources(text, "x");
    assert.deepEqual(problems, []);
    assert.equal(resources[0]?.origin.text, text);
    assert.equal(
      resources[0]?.origin.kept,
      "apiVersion: dns.mesh/v1alpha1\nkind: Settings\nmetadata:\n  name: default\n# kept\nspec: {}\n",
    );
    assert.deepEqual(resources[0]?.resource.metadata, { name: "default" });
  });

  it("moves no line of what is wrong", () => {
    const { problems } = parseResources(text.replace("{}", "{x: 1}"), "x");
    assert.deepEqual(
      problems.map(({ line, path }) => [line, path]),
      [[7, "spec.x"]],
    );
  });
});
