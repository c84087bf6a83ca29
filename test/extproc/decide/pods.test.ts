/**
 * Clients that are known by the pods that have their addresses.
 */
import assert from "node:assert/strict";
import type { Pod } from "../../../extproc/compiled/pods.ts";
import { podsOf } from "../../../extproc/mesh/pods.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { excludeEachOther, labelSelector, selectsLabels } from "../../../extproc/resources/label-selector.ts";
import {
  addressOf,
  ask,
  documents,
  problemsOf,
  snapshotOf,
  tenant,
  tierPolicy,
  upstream,
} from "../compile/compile-text.ts";
import { objectsOf } from "../mesh/objects.ts";

const web: Pod = { namespace: "web", labels: { app: "front" } };
const byAddress = { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "u" };

function whose(match: readonly object[], asked: object, more: readonly object[] = []) {
  const snapshot = snapshotOf(documents(upstream("u"), tenant("a", { match, upstream: "u" }), ...more));
  const { tenant: name, prefix } = ask(snapshot, { from: "10.1.2.3", ...asked }).client;
  return [name, prefix];
}

describe("decide: pods", () => {
  it("are stronger evidence than the longest block, and each address is a client of its own", () => {
    const more = [tenant("b", byAddress), tenant("c", { match: [{ cidrs: ["10.1.2.3/32"] }], upstream: "u" })];
    const match = [{ namespaces: ["web"] }];
    assert.deepEqual(whose(match, { pod: web }, more), ["a", 32]);
    assert.deepEqual(whose(match, { pod: { ...web, namespace: "data" } }, more), ["c", 32]);
    assert.deepEqual(whose(match, { from: "10.9.9.9" }, more), ["b", 32]);
    assert.deepEqual(whose(match, { from: "2001:db8::1", pod: web }, more), ["a", 128]);
    assert.deepEqual(whose(match, { from: "::ffff:10.1.2.3", pod: web }, more), ["a", 128]);
  });

  it("are weaker than a principal, and nobody's where their tenant requires one", () => {
    const principals = [{ principals: ["spiffe://x/ns/web/sa/*"] }];
    const more = [tenant("b", { match: principals, upstream: "u" })];
    const shown = { pod: web, principal: "spiffe://x/ns/web/sa/one" };
    assert.deepEqual(whose([{ namespaces: ["web"] }], shown, more), ["b", 0]);
    const strict = tenant("s", {
      match: [...principals, { namespaces: ["web"] }],
      requires: "principal",
      upstream: "u",
    });
    const snapshot = snapshotOf(documents(upstream("u"), strict, tenant("b", byAddress)));
    assert.equal(ask(snapshot, shown).client.tenant, "s");
    const hidden = ask(snapshot, { from: "10.1.2.3", pod: web });
    assert.ok("deny" in hidden && hidden.client.tenant === "" && /certificate/.test(hidden.deny.ede_text));
  });

  it("are told apart by labels, and narrowed by server names and paths", () => {
    const match = [
      { namespaces: ["web"], podLabels: { matchLabels: { app: "front" } } },
      { podLabels: { matchExpressions: [{ key: "role", operator: "Exists" }] }, paths: ["/a"] },
    ];
    const of = (pod: Pod, path?: string) => whose(match, { pod, path })[0];
    assert.equal(of(web), "a");
    assert.equal(of({ ...web, labels: {} }), "");
    assert.equal(of({ namespace: "x", labels: { role: "" } }), "");
    assert.equal(of({ namespace: "x", labels: { role: "" } }, "/a"), "a");
  });

  it("make some of a tenant's clients the subject of a policy, or an exception", () => {
    const rules = [{ name: "r", match: { names: ["*"] }, action: "Deny" }];
    const subject = { namespaces: ["web", "data"] };
    const except = { workloads: { matchLabels: { app: "front" } } };
    const spec = { priority: 1, subject, except, rules };
    const snapshot = snapshotOf(documents(upstream("u"), tenant("b", byAddress), tierPolicy("p", "Admin", spec)));
    const denied = (pod?: Pod) => {
      const { rule, client } = ask(snapshot, { from: "10.1.2.3", pod });
      assert.equal(client.prefix, 32);
      return rule === "r";
    };
    assert.ok(!denied(web));
    assert.ok(denied({ namespace: "data", labels: { app: "back" } }));
    assert.ok(!denied({ namespace: "ops", labels: {} }));
    assert.ok(!denied());
  });

  it("that two tenants could match are refused", () => {
    const problems = (a: object, b: object) =>
      problemsOf(
        documents(
          upstream("u"),
          tenant("a", { match: [a], upstream: "u" }),
          tenant("b", { match: [b], upstream: "u" }),
        ),
      ).join("\n");
    const front = { podLabels: { matchLabels: { app: "front" } } };
    const back = { podLabels: { matchExpressions: [{ key: "app", operator: "NotIn", values: ["front"] }] } };
    assert.match(problems({ namespaces: ["web"] }, { namespaces: ["x", "web"] }), /Tenant a has equal right/);
    assert.match(problems({ namespaces: ["web"] }, front), /Tenant a has equal right/);
    assert.equal(problems({ namespaces: ["web"] }, { namespaces: ["x"] }), "");
    assert.equal(problems(front, back), "");
    assert.equal(problems({ ...front, paths: ["/a"] }, { ...front, paths: ["/b"] }), "");
    assert.match(problems({ namespaces: ["web"], cidrs: ["10.0.0.0/8"] }, back), /expected no cidrs beside namespaces/);
  });
});

describe("label selectors", () => {
  it("are those of Kubernetes", () => {
    const selects = (selector: object, labels: Record<string, string>) =>
      selectsLabels(labelSelector.parse(selector), labels);
    const expression = (operator: string, values?: string[]) => ({
      matchExpressions: [{ key: "k", operator, values }],
    });
    assert.ok(selects({}, {}));
    assert.ok(selects(expression("In", ["a", "b"]), { k: "b" }) && !selects(expression("In", ["a"]), {}));
    assert.ok(selects(expression("NotIn", ["a"]), {}) && !selects(expression("NotIn", ["a"]), { k: "a" }));
    assert.ok(selects(expression("Exists"), { k: "" }) && !selects(expression("Exists"), {}));
    assert.ok(selects(expression("DoesNotExist"), {}) && !selects(expression("DoesNotExist"), { k: "" }));
    assert.ok(!selects({ matchLabels: { constructor: "x" } }, {}) && !selects(expression("Exists"), { toString: "" }));
    for (const wrong of [expression("In"), expression("Exists", ["a"]), { matchLabels: { "a b": "x" } }, { x: 1 }]) {
      assert.ok(!labelSelector.safeParse(wrong).success, JSON.stringify(wrong));
    }
  });

  it("that exclude each other never select the same labels", () => {
    const values = ["a", "b"];
    const selectors = [
      { matchLabels: { k: "a" } },
      ...["In", "NotIn"].flatMap((operator) =>
        [["a"], ["b"], values].map((some) => ({ matchExpressions: [{ key: "k", operator, values: some }] })),
      ),
      ...["Exists", "DoesNotExist"].map((operator) => ({ matchExpressions: [{ key: "k", operator }] })),
    ].map((one) => labelSelector.parse(one));
    const all: Record<string, string>[] = [{}, { k: "a" }, { k: "b" }, { k: "c" }];
    for (const a of selectors) {
      for (const b of selectors) {
        const both = all.some((labels) => selectsLabels(a, labels) && selectsLabels(b, labels));
        assert.equal(excludeEachOther(a, b), !both, JSON.stringify([a, b]));
      }
    }
  });
});

describe("pods by address", () => {
  const pod = (name: string, ip: string, more = "") =>
    objectsOf(
      `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: web, labels: { app: ${name} } }\nspec: {${more}}\nstatus: { podIP: "${ip}", podIPs: [{ ip: "${ip}" }] }\n`,
    );
  const setUp = () => {
    const objects = new ObjectStore();
    let changes = 0;
    const pods = podsOf(objects, () => changes++);
    const at = (text: string) => pods.at(addressOf(text))?.labels.app;
    return { objects, at, changes: () => changes };
  };

  it("come, change and go, and each change is told", () => {
    const { objects, at, changes } = setUp();
    objects.apply({ set: pod("a", "10.0.0.1") });
    assert.deepEqual([at("10.0.0.1"), at("::ffff:10.0.0.1"), changes()], ["a", "a", 1]);
    objects.apply({ set: pod("a", "2001:db8:0::1") });
    assert.deepEqual([at("10.0.0.1"), at("2001:db8::1"), changes()], [undefined, "a", 2]);
    objects.apply({ delete: [{ kind: "Pod", namespace: "web", name: "a" }] });
    assert.deepEqual([at("2001:db8::1"), changes()], [undefined, 3]);
  });

  it("are nobody's evidence where two have one address, or it is their node's", () => {
    const { objects, at, changes } = setUp();
    objects.apply({ set: [...pod("a", "10.0.0.1"), ...pod("b", "10.0.0.1")] });
    assert.equal(at("10.0.0.1"), undefined);
    objects.apply({ delete: [{ kind: "Pod", namespace: "web", name: "a" }] });
    assert.equal(at("10.0.0.1"), "b");
    const before = changes();
    objects.apply({ set: pod("c", "10.0.0.9", "hostNetwork: true") });
    assert.deepEqual([at("10.0.0.9"), changes()], [undefined, before]);
  });
});
