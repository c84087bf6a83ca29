/**
 * The text of a list to its table: names a line, a hosts file, or a response policy zone. Runs in the thread of lists,
 * and as well without one.
 *
 * A line that is no name is left, and counted. A text of which more is left than taken is no list at all, but an error
 * page, or half a file: it is refused, and the list stays as it was.
 */
import type { ListReference } from "../compiled/list-reference.ts";
import { readHostsFile } from "./hosts-file.ts";
import { type ListContent, ListNames } from "./list-names.ts";
import { NAMELESS, readZoneFile, type ZoneRecord } from "./zone-file.ts";

/** Throws for a text that is no list. */
export function readList(
  { format, subdomains }: Pick<ListReference, "format" | "subdomains">,
  text: string,
): ListContent {
  const names = new ListNames();
  READERS[format](text, names, subdomains);
  return names.finish();
}

const READERS: Readonly<
  Record<ListReference["format"], (text: string, names: ListNames, subdomains: boolean) => void>
> = {
  Plain: (text, names, subdomains) => {
    for (const [index, line] of text.split("\n").entries()) {
      const comment = line.indexOf("#");
      const name = (comment < 0 ? line : line.slice(0, comment)).trim();
      if (name !== "") names.add(`line ${index + 1}`, name, { subdomains });
    }
  },
  Hosts: (text, names, subdomains) => {
    const left = (line: number, message: string) => names.leave(`line ${line}`, message);
    for (const { line, name, own } of readHostsFile(text, left))
      if (!own) names.add(`line ${line}`, name, { subdomains });
  },
  RPZ: readZone,
};

function readZone(text: string, names: ListNames): void {
  let zone: string | undefined;
  for (const record of readZoneFile(text, (line, message) => names.leave(`line ${line}`, message))) {
    if (record.type === "SOA") {
      zone = record.owner;
      names.serial = serialOf(record);
    } else names.addRecord(`line ${record.line}`, record, zone ?? NAMELESS);
  }
}

function serialOf({ data }: ZoneRecord): number | undefined {
  const serial = Number(data[2]);
  return Number.isInteger(serial) ? serial : undefined;
}
