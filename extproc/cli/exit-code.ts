/**
 * How a command ends, as its exit code says it.
 */
export const ExitCode = {
  OK: 0,
  /** The service refused it, or it failed. */
  FAILED: 1,
  /** The command line is not right. */
  USAGE: 2,
  /** The service cannot be reached. */
  UNREACHABLE: 3,
  /** In force, but some worker may still answer by an older policy. */
  BEHIND: 4,
  /** Another version is in force than the command was meant for: nothing was changed. */
  STALE: 5,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export const EXIT_CODES_HELP = `
Exit codes:
  0  done
  1  refused by the service, or failed
  2  the command line is not right
  3  the service cannot be reached
  4  in force, but some worker may still answer by an older policy
  5  another version is in force than --if-version says: nothing was changed
`;

/** Ends a command with one line on the standard error output. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: ExitCode;

  constructor(code: ExitCode, message: string) {
    super(message);
    this.code = code;
  }
}
