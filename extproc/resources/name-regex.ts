/**
 * Regular expressions that names are matched against, in RE2's syntax: it has nothing that takes more time than the name is long.
 *
 * A name is written as the query log has it, without its last dot: `www.example.com`, `.` for the root, a dot inside of a label as
 * `\\.`. An expression speaks of the whole name, without regard to case: one that was matched anywhere would be a permission for
 * every name that has a permitted one somewhere inside.
 */
import { RE2JS, RE2JSException } from "re2js";

/** Characters, and instructions of the compiled form: `a{1000}` is short, and has a thousand. */
const MAX_LENGTH = 255;
const MAX_INSTRUCTIONS = 1000;

export function compileRegex(text: string): RE2JS {
  return RE2JS.compile(text, RE2JS.CASE_INSENSITIVE);
}

/** What was expected instead; undefined where it is one. */
export function checkRegex(text: string): string | undefined {
  if (!/^[ -~]*$/.test(text)) return "a regular expression in ASCII, as names of A-labels are";
  if (text.length > MAX_LENGTH) return `a regular expression of at most ${MAX_LENGTH} characters`;
  try {
    const size = compileRegex(text).programSize();
    return size <= MAX_INSTRUCTIONS ? undefined : `at most ${MAX_INSTRUCTIONS} instructions, of which this has ${size}`;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return `a regular expression of RE2 (${error.message.replace(/^error parsing regexp: /, "")})`;
  }
}
