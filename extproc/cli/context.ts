/**
 * What a command gets of the world: main.ts passes the process', tests pass their own.
 */
import type { Clock } from "../server/clock.ts";

export interface Context {
  /** Without the program's own name. */
  readonly arguments: readonly string[];
  /** Of who runs the command, by the operating system. */
  readonly userName: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly readStdin: () => Promise<Buffer>;
  /** Calls back when the process is asked to stop, and when it is asked to open its logs anew. */
  readonly onStop: (task: (signal: string) => void) => void;
  readonly onReopen: (task: () => void) => void;
}
