/**
 * Triggers of a response policy zone that are addresses of answers (`24.0.2.0.192.rpz-ip`, draft-vixie-dnsop-dns-rpz section 4.3), as
 * rules for what upstreams answer.
 */
import { actionOf, type RpzRecord } from "../lists/rpz.ts";
import { toBlock } from "./conversion.ts";

const SUFFIX = ".rpz-ip";

/** A block of addresses, and what becomes of answers that have one of it. */
export interface AddressTrigger {
  readonly block: string;
  readonly what: object;
  /** That which is done is not all that was meant. */
  readonly note?: string;
}

/** Undefined for another trigger; a text says what was expected of one of addresses. */
export function readAddressTrigger(name: string, record: RpzRecord): AddressTrigger | string | undefined {
  if (!name.endsWith(SUFFIX)) return undefined;
  const block = readBlock(name.slice(0, -SUFFIX.length));
  if (block === undefined) return "expected a prefix length and an address from its end, as 24.0.2.0.192.rpz-ip";
  const { type, data } = record;
  switch (actionOf(name, record)) {
    case "NXDOMAIN":
      return {
        block,
        what: deny({ code: "NODATA" }),
        note: "the name is not there, there; here it is, with no such records",
      };
    case "NODATA":
      return { block, what: deny({ code: "NODATA" }) };
    case "Drop":
      return { block, what: deny({ code: "Drop" }) };
    case "Pass":
      return { block, what: { action: "Pass" } };
    case undefined:
      if (type === "A" || type === "AAAA") return { block, what: deny({ addresses: [data[0]] }) };
  }
  return `expected an action, or an address, got ${type} ${data[0]}`;
}

function deny(response: object): object {
  return { action: "Deny", response };
}

/** `zz` is the longest run of zeros in an IPv6 address. */
function readBlock(text: string): string | undefined {
  const [length = "", ...reversed] = text.split(".");
  const parts = reversed.reverse();
  const isIPv4 = parts.length === 4 && parts.every((part) => /^\d+$/.test(part));
  const address = isIPv4 ? parts.join(".") : parts.join(":").replace(/(^|:)zz(:|$)/, "::");
  return /^\d+$/.test(length) ? toBlock(`${address}/${length}`) : undefined;
}
