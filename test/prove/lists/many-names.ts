/**
 * Names for lists, as many as are wanted: under few top-level domains and many domains, as those of real feeds.
 */
const TOPS = ["com", "net", "org", "info", "xyz"];

export function listedName(number: number): string {
  return `h${number}.d${Math.floor(number / 4)}.${TOPS[number % TOPS.length]}`;
}

/** Records of a response policy zone, relative to it. */
export function zoneRecords(count: number): string {
  const lines: string[] = [];
  for (let number = 0; number < count; number++) lines.push(`${listedName(number)} CNAME .`);
  return `${lines.join("\n")}\n`;
}

export const zoneHead = (serial: number) =>
  `$TTL 60\n@ SOA localhost. hostmaster.localhost. ${serial} 3600 60 86400 60\n@ NS localhost.\n`;
