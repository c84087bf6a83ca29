import assert from "node:assert/strict";
import { formatProblem } from "../../../extproc/resources/problem.ts";
import { digestOf } from "../../../extproc/server/admin/credentials.ts";
import { parseCredentials } from "../../../extproc/server/admin/credentials-file.ts";

describe("the file of admin tokens", () => {
  const sha256 = digestOf("secret").toString("hex");
  const problems = (text: string) => (parseCredentials(text, "tokens.yaml").problems ?? []).map(formatProblem);

  it("says who may do what", () => {
    const text = `# who
- { name: alice, role: admin, sha256: ${sha256} }
- name: frontend-ci
  role: editor
  tenant: frontend
  sha256: ${digestOf("other").toString("hex").toUpperCase()}
- { name: grafana, role: viewer, principal: "spiffe://cluster.local/ns/monitoring/sa/grafana" }
`;
    const read = parseCredentials(text, "tokens.yaml");
    assert.ok(read.problems === undefined);
    assert.deepEqual(read.credentials[0], { name: "alice", role: "admin", digest: digestOf("secret") });
    assert.deepEqual(read.credentials[1]?.digest, digestOf("other"));
    assert.deepEqual(read.credentials[1]?.tenant, "frontend");
    assert.equal(read.credentials[2]?.principal, "spiffe://cluster.local/ns/monitoring/sa/grafana");
  });

  it("is refused with line and field", () => {
    assert.deepEqual(problems(`- { name: a, role: boss, sha256: ${sha256} }`), [
      'tokens.yaml: line 1, [0].role: expected one of viewer, editor, admin, got "boss"',
    ]);
    assert.deepEqual(
      problems(`- { name: a, role: admin, sha256: ${sha256} }\n- { name: b, role: editor, sha256: 12 }`),
      ["tokens.yaml: line 2, [1].sha256: expected a string, got 12"],
    );
    assert.deepEqual(problems(`- { name: a, role: editor, sha256: ${sha256} }`), [
      "tokens.yaml: line 1, [0].role: expected a tenant beside role editor, got none",
    ]);
    assert.deepEqual(problems(`- { name: a, role: viewer, tenant: b, sha256: ${sha256} }`), [
      "tokens.yaml: line 1, [0].tenant: expected no tenant with role viewer, got one",
    ]);
    assert.deepEqual(problems("- { name: a, role: admin }"), [
      "tokens.yaml: line 1, [0]: expected sha256 or principal, got neither",
    ]);
    assert.deepEqual(problems(`- { name: a, role: admin, sha25: ${sha256} }`), [
      'tokens.yaml: line 1, [0].sha25: expected sha256, got the unknown field "sha25"',
      "tokens.yaml: line 1, [0]: expected sha256 or principal, got neither",
    ]);
    assert.deepEqual(problems(`- { name: a b, role: admin, sha256: secret }`), [
      "tokens.yaml: line 1, [0].name: expected 1 to 100 ASCII characters without spaces",
      "tokens.yaml: line 1, [0].sha256: expected the SHA-256 of a token as 64 hex digits",
    ]);
    const twice = `- { name: a, role: admin, sha256: ${sha256} }\n- { name: b, role: viewer, sha256: ${sha256} }`;
    assert.deepEqual(problems(twice), [
      "tokens.yaml: line 2, [1]: expected a name, token and principal of its own, got one of entry 1",
    ]);
    assert.deepEqual(problems("name: a"), ["tokens.yaml: line 1: expected a list, got a map"]);
    assert.match(problems("- {")[0] ?? "", /^tokens.yaml: line 1: expected YAML: /);
    assert.deepEqual(problems(""), ["tokens.yaml: line 1: expected a list, got null"]);
  });
});
