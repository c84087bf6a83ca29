/**
 * A hosts file, name by name (hosts(5)).
 */
import { isIP } from "node:net";

/** Of the machine itself, in every hosts file. */
const OWN = /^(localhost(\.localdomain)?|local|broadcasthost|ip6-[a-z]+|0\.0\.0\.0)$/i;

export interface HostsEntry {
  readonly line: number;
  readonly address: string;
  readonly name: string;
  /** The machine's own, and no policy's. */
  readonly own: boolean;
}

/** In the order of the file; what is no line of addresses and names is told with its line, and left. */
export function* readHostsFile(text: string, left: (line: number, message: string) => void): Generator<HostsEntry> {
  for (const [index, whole] of text.split("\n").entries()) {
    const comment = whole.indexOf("#");
    const entry = (comment < 0 ? whole : whole.slice(0, comment)).trim();
    if (entry === "") continue;
    const [first = "", ...names] = entry.split(/\s+/);
    const address = first.replace(/%.*$/, "");
    if (isIP(address) === 0 || names.length === 0) {
      left(index + 1, `expected an address and names, got ${JSON.stringify(entry.slice(0, 60))}`);
      continue;
    }
    for (const name of names) yield { line: index + 1, address, name, own: OWN.test(name) };
  }
}
