/**
 * A zone file, record by record (RFC 1035, section 5.1): what response policy zones are kept in.
 */

/** Of a zone that says no name, which then nobody needs to know. */
export const NAMELESS = "rpz.invalid.";

export interface ZoneRecord {
  readonly line: number;
  /** Absolute, in lower case. */
  readonly owner: string;
  readonly type: string;
  /** Its fields as they stand; a name at the end is absolute. */
  readonly data: readonly string[];
}

const WITH_NAME_LAST = new Set(["CNAME", "NS", "PTR", "MX", "SRV", "DNAME"]);

/** In the order of the file; what is no record is told with its line, and left. */
export function* readZoneFile(text: string, left: (line: number, message: string) => void): Generator<ZoneRecord> {
  let origin = NAMELESS;
  let owner = "";
  const absolute = (name: string) => {
    if (name === "@") return origin;
    return (name.endsWith(".") ? name : `${name}.${origin}`).toLowerCase();
  };
  for (const { line, text: whole } of readEntries(text, left)) {
    const fields = whole.includes('"') ? (whole.match(/"(?:[^"\\]|\\.)*"|[^\s()]+/g) ?? []) : splitFields(whole);
    if (fields[0]?.startsWith("$")) {
      if (fields[0] === "$ORIGIN") origin = absolute(fields[1] ?? "@");
      else if (fields[0] !== "$TTL") left(line, `expected $ORIGIN or $TTL, got ${fields[0]}`);
      continue;
    }
    let first = 0;
    if (!/^\s/.test(whole)) owner = absolute(fields[first++] ?? "@");
    while (first < fields.length && /^(\d+[smhdw\d]*|IN)$/i.test(fields[first] ?? "")) first++;
    const type = (fields[first] ?? "").toUpperCase();
    const data = fields.slice(first + 1);
    const last = data.at(-1) ?? "";
    if (WITH_NAME_LAST.has(type) && !last.endsWith(".")) data[data.length - 1] = absolute(last);
    yield { line, owner, type, data };
  }
}

/** Without parentheses. */
function splitFields(text: string): string[] {
  const fields = text.split(/[\s()]+/);
  if (fields[0] === "") fields.shift();
  if (fields.at(-1) === "") fields.pop();
  return fields;
}

/** Lines, or several of them where parentheses hold them together; without comments, and without those that are empty. */
function* readEntries(
  text: string,
  left: (line: number, message: string) => void,
): Generator<{ readonly line: number; readonly text: string }> {
  let depth = 0;
  let open: { readonly line: number; readonly text: string } | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    if (open === undefined && !/[;"()]/.test(raw)) {
      if (raw.trim() !== "") yield { line: index + 1, text: raw.trimEnd() };
      continue;
    }
    const bare = raw.replace(/"(?:[^"\\]|\\.)*"|;.*/g, (token) => (token.startsWith(";") ? "" : token)).trimEnd();
    const unquoted = bare.replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
    depth += unquoted.split("(").length - unquoted.split(")").length;
    open = open === undefined ? { line: index + 1, text: bare } : { ...open, text: `${open.text} ${bare}` };
    if (depth > 0) continue;
    if (open.text.trim() !== "") yield open;
    open = undefined;
    depth = 0;
  }
  if (open !== undefined) left(open.line, "expected a closing parenthesis, got the end of the file");
}
