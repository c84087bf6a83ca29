/**
 * Rooms import only from those after them, in the order in which ARCHITECTURE.md has them.
 */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** What an import brings in: types of TypeScript are no part of the program that runs. */
const IMPORT = /^(?:import|export)(?! type)[^;]*? from "(\.[^"]+)"/gm;
const IMPORT_OR_TYPE = /^(?:import|export)[^;]*? from "(\.[^"]+)"/gm;

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

    it("have no files that are in a circle", () => {
      assert.deepEqual(filesInCircles(files), []);
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

function importsOf(file: string, pattern = IMPORT): string[] {
  const found = readFileSync(file, "utf8").matchAll(pattern);
  return [...found].map(([, path = ""]) => normalize(join(dirname(file), path)));
}

/** What is left when those are taken away, again and again, that import nothing which is left. */
function filesInCircles(files: readonly string[]): string[] {
  const left = new Map(files.map((file) => [file, importsOf(file, IMPORT_OR_TYPE).map(withEnding)]));
  for (let size = -1; size !== left.size; ) {
    size = left.size;
    for (const [file, imports] of left) if (!imports.some((other) => left.has(other))) left.delete(file);
  }
  return [...left.keys()];
}

/** AssemblyScript names no endings. */
function withEnding(path: string): string {
  return path.endsWith(".ts") ? path : `${path}.ts`;
}

function roomOf(file: string): string {
  return file.split("/")[1] ?? "";
}
