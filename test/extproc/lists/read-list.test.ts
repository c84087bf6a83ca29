import assert from "node:assert/strict";
import { findListed } from "../../../extproc/compiled/name-table.ts";
import { readQuestion } from "../../../extproc/compiled/question.ts";
import { ScopeBuilder } from "../../../extproc/compiled/scope.ts";
import type { ListContent } from "../../../extproc/lists/list-names.ts";
import { readList } from "../../../extproc/lists/read-list.ts";
import { wireOf } from "../compile/compile-text.ts";

type Format = Parameters<typeof readList>[0]["format"];

function read(format: Format, text: string, subdomains = false): ListContent {
  return readList({ format, subdomains }, text);
}

/** Labels of the base by which the list has the name. */
function lookUp({ table }: ListContent, name: string): number | undefined {
  const question = readQuestion(wireOf(name));
  assert.ok(question);
  return findListed(table, question, new ScopeBuilder());
}

describe("lists: reading", () => {
  it("takes names and wildcards a line, whatever their case and line ends", () => {
    const list = read(
      "Plain",
      "# ads\r\nADS.example.\n  *.track.example # all of it\r\n\n**.more.example\nw\\119w.example",
    );
    assert.deepEqual([list.table.names, list.left, list.remarks], [4, 0, []]);
    assert.equal(lookUp(list, "ads.example"), 1);
    assert.equal(lookUp(list, "x.ads.example"), undefined);
    assert.equal(lookUp(list, "track.example"), undefined);
    assert.equal(lookUp(list, "a.b.track.example"), 2);
    assert.equal(lookUp(list, "a.more.example"), 2);
    assert.equal(lookUp(list, "www.example"), 1);
    assert.equal(lookUp(list, "example"), undefined);
  });

  it("takes each name for those below it, where that is said", () => {
    const list = read("Plain", "ads.example", true);
    assert.equal(lookUp(list, "ads.example"), 1);
    assert.equal(lookUp(list, "x.ads.example"), 2);
    assert.equal(list.table.names, 2);
  });

  it("takes the names of a hosts file, and not the machine's own", () => {
    const list = read("Hosts", "127.0.0.1 localhost\n0.0.0.0 ads.example x.example # two\n:: six.example\n");
    assert.deepEqual([list.table.names, list.left], [3, 0]);
    assert.equal(lookUp(list, "x.example"), 1);
    assert.equal(lookUp(list, "localhost"), undefined);
  });

  it("takes the triggers of a response policy zone, and what passes as an exception", () => {
    const zone = `$TTL 300
@ SOA ns.rpz.example. me.example. (
    42 ; serial
    60 60 60 60 )
  NS ns.rpz.example.
bad.example CNAME .
*.bad.example CNAME .
good.bad.example CNAME rpz-passthru.
*.good.bad.example CNAME rpz-passthru.
worse.good.bad.example CNAME *.
walled.example A 192.0.2.1
walled.example AAAA 2001:db8::1
drop.example CNAME rpz-drop.
32.7.2.0.192.rpz-ip CNAME .
ns.evil.example.rpz-nsdname CNAME .
`;
    const list = read("RPZ", zone);
    assert.deepEqual([list.table.names, list.table.exceptions, list.serial], [5, 2, 42]);
    assert.equal(list.left, 2);
    assert.match(list.remarks[0] ?? "", /^line 14: expected a name as trigger$/);
    assert.equal(lookUp(list, "x.bad.example"), 2);
    assert.equal(lookUp(list, "good.bad.example"), undefined);
    assert.equal(lookUp(list, "x.good.bad.example"), undefined);
    assert.equal(lookUp(list, "worse.good.bad.example"), 3);
    assert.equal(lookUp(list, "walled.example"), 1);
    assert.equal(lookUp(list, "rpz-ip"), undefined);
  });

  it("refuses what is no list: nothing, an error page, a file without an end", () => {
    assert.throws(() => read("Plain", "# nothing\n"), /expected names, got none/);
    const page = "<html>\n<head><title>502</title></head>\n<h1>Bad Gateway</h1>\nad.example\n</html>\n";
    assert.throws(() => read("Plain", page), /expected names, got 4 lines that are none, the first at line 1/);
    assert.throws(() => read("Hosts", "ad.example\n"), /expected names, got 1 lines/);
    assert.throws(
      () => read("RPZ", "@ SOA ns. me. ( 1 60 60 60\n"),
      /expected names, got 1 lines .*closing parenthesis/,
    );
    assert.equal(read("RPZ", "@ SOA ns. me. 7 60 60 60 60\n").table.names, 0);
  });

  it("tells what is no name by its place alone: the file may be another one than was meant", () => {
    const { remarks } = read("Plain", "a.example\nroot:$6$secret:1\n");
    assert.deepEqual(remarks, ['line 2: expected letters, digits, "-", "_" and "/" in a label']);
  });

  it("says of a name in no list how far that holds", () => {
    const { table } = read("Plain", Array.from({ length: 100 }, (_, index) => `n${index}.many.example`).join("\n"));
    const scopeOf = (name: string) => {
      const scope = new ScopeBuilder();
      const question = readQuestion(wireOf(name));
      assert.ok(question);
      assert.equal(findListed(table, question, scope), undefined);
      const { labels, extent, except } = scope.build({ qtype: 1, time: 0 });
      return [labels, extent, except.length];
    };
    // Below all names that are, but for the one label that leads to some.
    assert.deepEqual(scopeOf("www.other.test"), [0, 1, 1]);
    // A hundred siblings are more than a scope can name: what is below its own label.
    assert.deepEqual(scopeOf("www.new.many.example"), [3, 2, 0]);
    assert.deepEqual(scopeOf("www.n7.many.example"), [3, 1, 0]);
  });
});
