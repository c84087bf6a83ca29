#!/usr/bin/env node
/**
 * The program: the only place that knows the process and its environment.
 */
import { userInfo } from "node:os";
import { setFlagsFromString } from "node:v8";
import type { Context } from "./cli/context.ts";
import { run } from "./cli/program.ts";
import { MACHINE_CLOCK } from "./machine-clock.ts";

/** A container's user may have a number and no name. */
function readUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

const context: Context = {
  arguments: process.argv.slice(2),
  userName: readUserName(),
  environment: process.env,
  clock: MACHINE_CLOCK,
  stdout: process.stdout,
  stderr: process.stderr,
  readStdin: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  },
  onStop: (task) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => task(signal));
  },
  onReopen: (task) => process.on("SIGHUP", task),
};

// What Node was told of this thread's nursery is not for the threads that it starts: they have limits of their own.
setFlagsFromString("--max-semi-space-size=0");
// Sockets, the store and logs are for this user only, from the moment they are made.
process.umask(0o077);
// Nothing of ours throws where nobody catches; what does all the same must not leave half a service behind.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`dnspolicy: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
}
// `dnspolicy get | head` closes our output.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await run(context);
