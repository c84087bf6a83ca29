/**
 * The rooms of the filter import only from those after them, as ARCHITECTURE.md has them in order.
 */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const order = [...readFileSync("ARCHITECTURE.md", "utf8").matchAll(/^\| `([a-z]+)\/` /gm)].map(([, room]) => room);
const rooms = order.slice(0, order.indexOf("host") + 1);

function importsOf(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g);
  return [...found].map(([, path = ""]) => normalize(join(dirname(file), path)));
}

const roomOf = (file: string) => file.split("/")[1] ?? "";

describe("rooms of the filter", () => {
  const files = readdirSync("filter", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => file.split("/").length > 2);

  it("are all named in ARCHITECTURE.md", () => {
    assert.deepEqual([...new Set(files.map(roomOf))].sort(), [...rooms].sort());
  });

  it("import only from those after them", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((other) => roomOf(other) !== roomOf(file) && rooms.indexOf(roomOf(other)) < rooms.indexOf(roomOf(file)))
        .map((other) => `${file} imports ${other}`),
    );
    assert.deepEqual(wrong, []);
  });
});
