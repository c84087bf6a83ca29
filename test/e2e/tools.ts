/**
 * Clients that operators have: dig, kdig, curl, dnsperf. A test that lacks its tool fails.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What a command wrote, whatever its exit code; throws where it is not installed. */
export async function command(name: string, ...values: (string | number)[]): Promise<string> {
  try {
    const { stdout, stderr } = await run(name, values.map(String), { maxBuffer: 16 * 1024 * 1024 });
    return stdout + stderr;
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: string | number; stdout?: string; stderr?: string };
    if (code === "ENOENT") throw new Error(`${name} is not installed, and this test needs it`);
    return stdout + stderr;
  }
}
