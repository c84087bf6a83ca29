/**
 * A line of a query log, as it is read again.
 */
import { z } from "zod";
import { parseAddress } from "../decide/address.ts";
import { NameSyntaxError, parseName } from "../resources/name-pattern.ts";
import { parseRecordType } from "../resources/record-type.ts";
import { TRANSPORTS } from "./request.ts";

/** What of a record is looked at; a newer release may have more. */
const record = z.object({
  time: z.string(),
  tenant: z.string(),
  client: z.string(),
  principal: z.string().optional(),
  transport: z.enum(Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[]),
  qname: z.string(),
  qtype: z.string().optional(),
  outcome: z.string(),
  policy: z.string().default(""),
  rule: z.string().default(""),
  rcode: z.string(),
  upstream: z.string().default(""),
  rewritten: z.string().default(""),
  answers: z.array(z.string()).default([]),
});

export interface RecordedQuery {
  readonly time: number;
  /** Empty for nobody that is known. */
  readonly tenant: string;
  readonly address: Uint8Array;
  readonly client: string;
  /** Undefined without a certificate, and in the log of an earlier version. */
  readonly principal?: string | undefined;
  readonly transport: keyof typeof TRANSPORTS;
  readonly qname: Uint8Array;
  readonly name: string;
  readonly qtype: number;
  readonly type: string;
  readonly outcome: string;
  readonly policy: string;
  readonly rule: string;
  readonly rcode: string;
  /** Empty where none was asked, or it is not known. */
  readonly upstream: string;
  /** Empty where the name was not. */
  readonly rewritten: string;
  /** Addresses that an upstream has answered, as far as they were told. */
  readonly answers: readonly string[];
}

/** The query; a text says what was expected of the line instead. Undefined for what is no query, or one that no policy judges. */
export function readRecordedQuery(line: string): RecordedQuery | string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "expected a line of JSON";
  }
  // What a second upstream has said.
  if (typeof value === "object" && value !== null && "mirror" in value) return undefined;
  const parsed = record.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `expected a query as the query log has it, got another ${issue?.path.join(".") || "value"}`;
  }
  const { time, client, qname, qtype, ...rest } = parsed.data;
  // What is no question, or one that is answered before any policy, has no type or none of data.
  const type = qtype === undefined ? "" : parseRecordType(qtype);
  if (typeof type === "string" || rest.outcome === "rejected") return undefined;
  const address = parseAddress(client);
  const moment = Date.parse(time);
  if (address === undefined || Number.isNaN(moment))
    return `expected a client's address and a time, got ${client} and ${time}`;
  try {
    const { wire } = parseName(qname);
    return {
      ...rest,
      time: moment,
      address,
      client,
      qname: wire,
      name: qname.toLowerCase(),
      qtype: type,
      type: qtype ?? "",
    };
  } catch (error) {
    if (error instanceof NameSyntaxError) return `expected ${error.message}, in ${qname}`;
    throw error;
  }
}
