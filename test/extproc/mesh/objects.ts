/**
 * Objects of the mesh, as people and controllers write them.
 */

import type { MeshObject } from "../../../extproc/mesh/sources/object.ts";
import { parseObjects } from "../../../extproc/mesh/sources/parse-objects.ts";
import { formatProblem } from "../../../extproc/resources/problem.ts";

/** The objects of a text; fails where something is wrong with it. */
export function objectsOf(text: string): readonly MeshObject[] {
  const { objects, problems } = parseObjects([{ name: "test", text }]);
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join("\n"));
  return objects;
}

export function problemsOf(text: string): readonly string[] {
  return parseObjects([{ name: "test", text }]).problems.map(formatProblem);
}
