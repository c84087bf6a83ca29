import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import type { Snapshot } from "../../../extproc/compiled/snapshot.ts";
import { ask, documents, policy, snapshotOf, tenant, upstream } from "../compile/compile-text.ts";

describe("verdicts and revisions as messages", () => {
  const path = (name: string) => fileURLToPath(new URL(`../../../protos/${name}`, import.meta.url));
  const root = new protobuf.Root().loadSync([path("verdict.proto"), path("sync.proto")], { keepCase: true });

  const through = (type: string, message: object) => {
    const encoder = root.lookupType(`dns.mesh.v1.${type}`);
    const octets = encoder.encode(encoder.fromObject(message)).finish();
    return encoder.toObject(encoder.decode(octets), {
      longs: String,
      enums: Number,
      bytes: String,
      defaults: true,
      arrays: true,
    });
  };
  const LONG = ["revision", "sequence", "subject"];
  /** 64-bit numbers come back as text. */
  const asText = (message: object) =>
    JSON.parse(JSON.stringify(message, (key, value) => (LONG.includes(key) ? String(value) : value)));

  const snapshot: Snapshot = snapshotOf(
    documents(
      upstream("u"),
      tenant("t", {
        match: [{ cidrs: ["10.0.0.0/8"], serverNames: ["a"] }, { cidrs: ["::/0"] }],
        upstream: "u",
        telemetry: { log: "All" },
      }),
      policy("p", 1, ["t"], [{ name: "r", match: { names: ["*.com"], types: ["A", "AAAA"] }, action: "Deny" }]),
    ),
    Number.MAX_SAFE_INTEGER,
  );

  it("encodes a denial, a forward, and a client that is nobody's", () => {
    for (const [asked, kind] of [
      [{ from: "10.0.0.1", serverName: "a", name: "x.com" }, "deny"],
      [{ from: "10.0.0.1", serverName: "a", name: "x.org" }, "forward"],
      [{ from: "10.0.0.1" }, "deny"],
    ] as const) {
      const verdict = ask(snapshot, asked);
      assert.ok(kind in verdict);
      // Who has judged, and by which lists, is said when it is sent. Without names of the mesh, their view is the 0 that is not written; without response rules, limits or a mirror there is no message.
      const client = { limits: null, ...verdict.client };
      assert.deepEqual(
        through("Verdict", verdict),
        asText({ mesh_view: "0", responses: null, mirror: null, service: "0", lists: "0", ...verdict, client }),
      );
    }
  });

  it("encodes a revision", () => {
    assert.deepEqual(
      through("Revision", snapshot.revision),
      asText({ lists_changed: null, service: "0", ...snapshot.revision }),
    );
  });
});
