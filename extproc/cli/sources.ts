/**
 * The files of `apply -f`: one, a directory's, or the standard input; and how they are sent.
 */
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, ExitCode } from "./exit-code.ts";

export interface SourceFile {
  readonly name: string;
  readonly octets: Buffer;
}

const YAML_FILE = /\.ya?ml$/i;

/** `-` is the standard input; of a directory, its YAML files in the order of their names. */
export async function readSourceFiles(
  paths: readonly string[],
  readStdin: () => Promise<Buffer>,
): Promise<readonly SourceFile[]> {
  const files: SourceFile[] = [];
  for (const path of paths) {
    if (path === "-") files.push({ name: "stdin", octets: await readStdin() });
    else files.push(...(await readPath(path)));
  }
  return files;
}

async function readPath(path: string): Promise<readonly SourceFile[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ name: path, octets: await readFile(path) }];
    const names = (await readdir(path)).filter((name) => YAML_FILE.test(name) && !name.startsWith(".")).sort();
    if (names.length === 0) throw new CommandError(ExitCode.USAGE, `expected .yaml files in ${path}, got none`);
    return await Promise.all(
      names.map(async (name) => ({ name: join(path, name), octets: await readFile(join(path, name)) })),
    );
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(ExitCode.USAGE, `cannot read ${path}: ${(error as Error).message}`);
  }
}

/** multipart/form-data (RFC 7578), so that problems are told with the file that they are in. */
export function encodeMultipart(files: readonly SourceFile[]): { readonly type: string; readonly body: Buffer } {
  const boundary = `dnspolicy-${randomBytes(18).toString("base64url")}`;
  const parts = files.flatMap(({ name, octets }) => [
    Buffer.from(`--${boundary}\r\n${disposition(name)}\r\ncontent-type: application/yaml\r\n\r\n`),
    octets,
    Buffer.from("\r\n"),
  ]);
  const body = Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
  return { type: `multipart/form-data; boundary=${boundary}`, body };
}

function disposition(name: string): string {
  const escaped = name.replace(/[\r\n]/g, " ").replace(/[\\"]/g, "\\$&");
  return `content-disposition: form-data; name="file"; filename="${escaped}"`;
}
