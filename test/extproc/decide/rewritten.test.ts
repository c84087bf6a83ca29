import assert from "node:assert/strict";
import { followRewrite } from "../../../extproc/decide/rewritten.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import { addressOf, ask, documents, policy, snapshotOf, tenant, upstream, wireOf } from "../compile/compile-text.ts";

describe("what becomes of a rewritten name", () => {
  const rewrite = (name: string, names: readonly string[], to: string, from?: string) => ({
    name,
    match: { names },
    action: "Rewrite",
    rewrite: { to, ...(from === undefined ? {} : { from }) },
  });
  const snapshot = snapshotOf(
    documents(
      upstream("public"),
      upstream("corp"),
      tenant("t", {
        match: [{ cidrs: ["0.0.0.0/0"] }],
        upstream: "public",
        forward: [{ zones: ["corp.example"], upstream: "corp" }],
      }),
      policy(
        "p",
        1,
        ["t"],
        [
          rewrite("suffix", ["*.old.example", "old.example"], "corp.example", "old.example"),
          rewrite("whole", ["*.portal.example"], "www.portal.example"),
          rewrite("more", ["*.short"], `${"a".repeat(60)}.example`, "short"),
          rewrite("appended", ["host"], "corp.example", "."),
          rewrite("cut", ["*.cut.example"], ".", "cut.example"),
          rewrite("twice", ["twice.example"], "x.old.example"),
          { name: "denied", match: { names: ["denied.corp.example"] }, action: "Deny" },
        ],
      ),
    ),
  );
  const follow = (name: string) => {
    const request = { address: addressOf("10.0.0.1"), listener: "test", transport: 0, qtype: 1, time: 0 } as const;
    const rewritten = followRewrite(snapshot, { ...request, qname: wireOf(name) }, ask(snapshot, { name }));
    if (rewritten === undefined) return undefined;
    const { qname } = rewritten;
    const other = qname && presentName(qname);
    if ("failure" in rewritten) return [other, rewritten.failure];
    const { outcome } = rewritten;
    const place =
      "forward" in outcome ? snapshot.revision.upstreams.find(({ id }) => id === outcome.forward.upstream) : undefined;
    return [other, place?.name ?? Object.keys(outcome).find((key) => key === "deny"), outcome.rule];
  };

  it("is what becomes of the other name", () => {
    assert.deepEqual(follow("A.b.OLD.example"), ["a.b.corp.example.", "corp", ""]);
    assert.deepEqual(follow("old.example"), ["corp.example.", "corp", ""]);
    assert.deepEqual(follow("denied.old.example"), ["denied.corp.example.", "deny", "denied"]);
    assert.deepEqual(follow("host"), ["host.corp.example.", "corp", ""]);
    assert.deepEqual(follow("a.cut.example"), ["a.", "public", ""]);
    assert.equal(follow("www.example"), undefined, "it is not rewritten");
  });

  it("is what it always is, where it is rewritten to itself", () => {
    assert.deepEqual(follow("a.portal.example"), ["www.portal.example.", "public", "whole"]);
    assert.deepEqual(follow("WWW.portal.example"), ["www.portal.example.", "public", "whole"]);
  });

  it("is a failure, where it would be rewritten again, or is no name", () => {
    assert.deepEqual(follow("twice.example"), ["x.old.example.", "rewritten twice"]);
    // 187 octets in front of a suffix of 70 in the place of one of 7.
    const long = [..."abc"].map((letter) => letter.repeat(61)).join(".");
    assert.deepEqual(follow(`${long}.short`), [undefined, "too long"]);
    assert.equal(follow(`${long.slice(2)}.short`)?.[1], "public");
  });
});
