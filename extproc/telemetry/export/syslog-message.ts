/**
 * A denial as a message of syslog (RFC 5424).
 */
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { PRODUCT } from "../../product.ts";
import { toQueryRecord } from "../query-record.ts";
import { type Denial, describeDenial } from "./denial.ts";

/** Section 6.2.1: facility local0, severity notice, or informational for what was not refused. */
const LOCAL0 = 16;
const NOTICE = 5;
const INFORMATIONAL = 6;

/** Section 7.2.2: of an organisation without a number of its own, that of documentation (RFC 5612). */
const SD_ID = "query@32473";

const MAX_HOST_LENGTH = 255;

export function syslogMessage(denial: Denial, event: QueryEvent__Output, node: string): string {
  const severity = denial.kind === "would_deny" ? INFORMATIONAL : NOTICE;
  const { time, ...record } = toQueryRecord(event);
  const { tenant, client, transport, qname, qtype, rcode, ede, revision } = record;
  const { policy, rule } = denial;
  const parameters = { tenant, client, transport, qname, qtype, policy, rule, rcode, ede, revision };
  const data = Object.entries(parameters)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => ` ${name}="${quoted(String(value))}"`)
    .join("");
  const header = `<${LOCAL0 * 8 + severity}>1 ${time || "-"} ${hostName(node)} ${PRODUCT} - ${denial.kind}`;
  return `${header} [${SD_ID}${data}] ${describeDenial(denial, event)}`;
}

/** Section 6.3.3. */
function quoted(value: string): string {
  return value.replace(/["\\\]]/g, "\\$&");
}

/** Section 6: PRINTUSASCII, or the NILVALUE. */
function hostName(node: string): string {
  const name = node.replace(/[^!-~]/g, "_").slice(0, MAX_HOST_LENGTH);
  return name === "" ? "-" : name;
}
