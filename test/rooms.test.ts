/**
 * Rooms import only from those after them, in the order in which ARCHITECTURE.md has them.
 */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** What an import brings in: types of TypeScript are no part of the program that runs. */
const IMPORT = /^(?:import|export)(?! type)[^;]*? from "(\.[^"]+)"/gm;

for (const tree of ["filter", "extproc"]) {
  describe(`rooms of ${tree}/`, () => {
    const rooms = roomsInOrder(tree);
    const files = readdirSync(tree, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => file.split("/").length > 2);

    it("are all named in ARCHITECTURE.md", () => {
      assert.deepEqual([...new Set(files.map(roomOf))].sort(), [...rooms].sort());
    });

    it("import only from those after them", () => {
      const place = (file: string) => rooms.indexOf(roomOf(file));
      const wrong = files.flatMap((file) =>
        importsOf(file)
          .filter((other) => place(other) !== -1 && place(other) < place(file))
          .map((other) => `${file} imports ${other}`),
      );
      assert.deepEqual(wrong, []);
    });
  });
}

/** Of the table that begins after the words "`tree/`, each importing only". */
function roomsInOrder(tree: string): string[] {
  const text = readFileSync("ARCHITECTURE.md", "utf8");
  const [, after = ""] = text.split(`\`${tree}/\`, each importing only`);
  const [, table = ""] = after.split("\n\n");
  return [...table.matchAll(/^\| `([a-z-]+)\/` /gm)].map(([, room = ""]) => room);
}

function importsOf(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(IMPORT);
  return [...found].map(([, path = ""]) => normalize(join(dirname(file), path)));
}

function roomOf(file: string): string {
  return file.split("/")[1] ?? "";
}
