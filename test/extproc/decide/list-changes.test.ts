/**
 * What a change of a list makes workers forget: every verdict that is kept holds on, over all random lists, changes and
 * names, by the rule that protos/sync.proto has for it.
 */
import assert from "node:assert/strict";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import { fnv1a } from "../../../extproc/compiled/hash.ts";
import { Extent, type Verdict } from "../../../extproc/compiled/messages.ts";
import type { NameTable } from "../../../extproc/compiled/name-table.ts";
import { loadSnapshot, renewSnapshot, type Snapshot } from "../../../extproc/compiled/snapshot.ts";
import { decide } from "../../../extproc/decide/decide.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import { changedNames } from "../../../extproc/lists/compare-tables.ts";
import { readList } from "../../../extproc/lists/read-list.ts";
import { parseName } from "../../../extproc/resources/name-pattern.ts";
import { SeededRandom } from "../../host/clock.ts";

const LABELS = ["a", "b", "c"];
const below = (names: string[]) => names.flatMap((name) => LABELS.map((label) => `${label}.${name}`));
const [ONE, TWO] = [LABELS, below(LABELS)];
const NAMES = [...ONE, ...TWO, ...below(TWO)];

const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: {name: public}
spec: {protocol: TCP, servers: [{address: 192.0.2.1}]}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: t}
spec: {match: [{cidrs: ["10.0.0.0/8"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: NameList
metadata: {name: one}
spec: {inline: [x.example]}
---
apiVersion: dns.mesh/v1alpha1
kind: NameList
metadata: {name: two}
spec: {inline: [x.example]}
---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: p}
spec:
  priority: 1
  subject: {tenants: [t]}
  rules:
    - {name: mine, match: {names: ["a.b", "*.c.a"]}, action: Accept}
    - {name: first, match: {lists: [one]}, action: Deny}
    - {name: trial, mode: Audit, match: {lists: [two]}, action: Deny, response: {code: REFUSED}}
    - {name: second, match: {lists: [one, two], types: [TXT]}, action: Deny}
`;

const wireOf = (name: string) => parseName(name).wire;
const textsOf = (names: readonly Uint8Array[]) => [...new Set(names.map(presentName))].sort();
const isAtOrBelow = (name: string, owner: string) => owner === "" || name === owner || name.endsWith(`.${owner}`);

function tableOf(zone: readonly string[], version: number, changed?: readonly string[]): NameTable {
  const text = `$TTL 60\n@ SOA localhost. host.localhost. ${version} 60 60 60 60\n${zone.map((line) => `${line}\n`).join("")}`;
  const { table } = readList({ format: "RPZ", subdomains: false }, text);
  const change = changed && { since: version - 1, names: changed.map(wireOf) };
  return { ...table, version, ...(change ? { change } : {}) };
}

function ownerOf({ scope }: Verdict, name: string): string {
  return scope.labels === 0 ? "" : name.split(".").slice(-scope.labels).join(".");
}

function isInside({ scope }: Verdict, owner: string, name: string): boolean {
  if (!isAtOrBelow(name, owner)) return false;
  if (name === owner) return scope.extent !== Extent.BELOW;
  const labels = name.split(".");
  const next = Buffer.from(labels[labels.length - scope.labels - 1] ?? "");
  return scope.extent !== Extent.EXACT && !scope.except.includes(fnv1a(next, 0, next.length));
}

function ask(snapshot: Snapshot, name: string, qtype: number): Verdict {
  const address = Uint8Array.of(10, 0, 0, 1);
  return decide(snapshot, { address, listener: "udp", transport: 0, qtype, time: 0, qname: wireOf(name) });
}

describe("a change of a list", () => {
  const compiled = new CompileJobs().run([{ name: "set", text: POLICY }], undefined);
  assert.ok(compiled.ok);
  const random = new SeededRandom(7);
  const oneOf = <T>(values: readonly T[]): T => values[random.below(values.length)] as T;
  const entry = () => `${random.below(3) === 0 ? "*." : ""}${oneOf(NAMES)} CNAME ${oneOf([".", "rpz-passthru."])}`;
  const nameOf = (line: string) => (line.split(" ")[0] ?? "").replace("*.", "");

  it("leaves every verdict right whose owner has none of its names at, above or below it", function () {
    this.timeout(60_000);
    let kept = 0;
    for (let round = 0; round < 300; round++) {
      const entries = () => [
        ...new Map(Array.from({ length: random.below(8) }, entry).map((line) => [line.split(" ")[0], line])).values(),
      ];
      const [one, two] = [entries(), entries()];
      const gone = one.filter(() => random.below(3) === 0);
      const come = [entry()].filter((line) => !one.some((known) => known.split(" ")[0] === line.split(" ")[0]));
      const next = [...one.filter((line) => !gone.includes(line)), ...come];
      const changed = [...gone, ...come].map(nameOf);
      const other = tableOf(two, 1);
      const found = changedNames(tableOf(one, 1), tableOf(next, 2)) ?? [];
      assert.deepEqual(textsOf(found), textsOf(changed.map(wireOf)), `${one} to ${next}`);
      const before = loadSnapshot(
        compiled.policy,
        1,
        new Map([
          ["one", tableOf(one, 1)],
          ["two", other],
        ]),
        "first",
      );
      const after = renewSnapshot(
        before,
        new Map([
          ["one", tableOf(next, 2, changed)],
          ["two", other],
        ]),
        "second",
      );
      const { since, names } = after.revision.lists_changed ?? {};
      assert.deepEqual(names, changed.map(wireOf));
      assert.equal(since, before.revision.lists);
      assert.notEqual(after.revision.lists, since);
      for (const name of NAMES) {
        for (const qtype of [1, 16]) {
          const known = ask(before, name, qtype);
          const owner = ownerOf(known, name);
          if (changed.some((one) => isAtOrBelow(owner, one) || isAtOrBelow(one, owner))) continue;
          kept++;
          for (const inside of NAMES.filter((one) => isInside(known, owner, one))) {
            const { scope: _now, revision: _number, ...now } = ask(after, inside, qtype);
            const { scope: _then, revision: _first, ...then } = known;
            assert.deepEqual(
              now,
              then,
              `${inside} in the scope of ${name}: ${one.join(", ")} without ${gone}, with ${come}`,
            );
          }
        }
      }
    }
    assert.ok(kept > 1000, `only ${kept} were kept`);
  });

  it("is told where all that has changed is known, and is little", () => {
    const tables = (one: NameTable, two: NameTable) =>
      new Map([
        ["one", one],
        ["two", two],
      ]);
    const [one, two] = [tableOf(["a CNAME ."], 1), tableOf(["b CNAME ."], 1)];
    const before = loadSnapshot(compiled.policy, 1, tables(one, two), "first");
    const told = (...next: [NameTable, NameTable]) =>
      renewSnapshot(before, tables(...next), "next").revision.lists_changed?.names.length;
    const second = tableOf(["c CNAME ."], 2, ["a", "c"]);
    assert.equal(told(second, two), 2);
    assert.equal(told(second, tableOf([], 2, ["b"])), 3);
    assert.equal(told(second, tableOf([], 2)), undefined, "what has changed in the other is not known");
    assert.equal(told(tableOf([], 3, ["c"]), two), undefined, "one change was missed");
    assert.equal(told(tableOf([], 2, Array(257).fill("a")), two), undefined, "that is too much");
    const renewed = renewSnapshot(before, tables(second, two), "second");
    assert.equal(renewSnapshot(renewed, tables(tableOf([], 7), two), "third").revision.lists_changed, undefined);
  });
});
