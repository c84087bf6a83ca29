/**
 * A QueryEvent as dnstap has queries: CLIENT_RESPONSE, or CLIENT_QUERY where no answer was sent.
 *
 * Workers send events and not messages, so the message in it is made of the event: the question as it was asked, the rcode,
 * EDE, and addresses under the name that was asked for. It has no ID and no TTLs, and no records but addresses; where there was no
 * question that could be read there is none, since readers (dnstap-read) give up at a message without a question.
 */

import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import type { Dnstap } from "../../gen/types/dnstap/Dnstap.ts";
import { toNumber } from "../../messages/long.ts";
import { messageType } from "../../messages/protos.ts";
import { PRODUCT, VERSION } from "../../product.ts";
import { toQueryRecord } from "../query-record.ts";

const dnstapType = messageType<Dnstap, unknown>("dnstap.Dnstap");

const version = Buffer.from(`${PRODUCT} ${VERSION}`);

/** By Transport of verdict.proto. */
const SOCKETS: readonly { readonly socket_protocol: 1 | 2 | 3 | 4; readonly http_protocol?: 3 }[] = [
  { socket_protocol: 1 },
  { socket_protocol: 2 },
  { socket_protocol: 3 },
  { socket_protocol: 4 },
  { socket_protocol: 4, http_protocol: 3 },
];

const CLIENT_QUERY = 5;
const CLIENT_RESPONSE = 6;
/** QueryEvent.rcode where no answer was sent. */
const NO_ANSWER = 4095;

export function dnstapOf(event: QueryEvent__Output, identity: Buffer): Buffer {
  const asked = toNumber(event.time_us);
  const answered = event.rcode !== NO_ANSWER;
  return dnstapType.encode({
    type: 1,
    identity,
    version,
    extra: Buffer.from(extraOf(event)),
    message: {
      type: answered ? CLIENT_RESPONSE : CLIENT_QUERY,
      ...(event.qname.length === 0
        ? {}
        : { [answered ? "response_message" : "query_message"]: messageOf(event, answered) }),
      ...(answered ? timeOf("response", asked + event.latency_us) : {}),
      ...SOCKETS[event.transport],
      ...(event.client.length === 0
        ? {}
        : { socket_family: event.client.length === 4 ? 1 : 2, query_address: event.client }),
      ...timeOf("query", asked),
      ...(event.policy === "" ? {} : { policy: policyOf(event) }),
    } as NonNullable<Dnstap["message"]>,
  });
}

function timeOf(what: "query" | "response", microseconds: number) {
  return {
    [`${what}_time_sec`]: Math.floor(microseconds / 1e6),
    [`${what}_time_nsec`]: (microseconds % 1e6) * 1000,
  };
}

/** In the words of the query log. */
function extraOf(event: QueryEvent__Output): string {
  const { tenant, outcome, policy, rule, revision, cache, upstream, upstream_us, audit } = toQueryRecord(event);
  return JSON.stringify({ tenant, outcome, policy, rule, revision, cache, upstream, upstream_us, audit });
}

/** Outcome of sync.proto. */
const FORWARDED = 0;
const DENIED = 1;
const ANSWERED = 5;
/** Policy.Action of dnstap. */
const ACTION = { NXDOMAIN: 1, NODATA: 2, PASS: 3, DROP: 4, LOCAL_DATA: 6 } as const;

function policyOf(event: QueryEvent__Output) {
  const action = actionOf(event);
  return {
    type: PRODUCT,
    rule: Buffer.from(event.rule === "" ? event.policy : `${event.policy}/${event.rule}`),
    ...(action === undefined ? {} : { action }),
  };
}

/** Undefined for what dnstap has no word for: REFUSED, say. */
function actionOf({ outcome, rcode, answers }: QueryEvent__Output): number | undefined {
  if (rcode === NO_ANSWER) return ACTION.DROP;
  if (outcome === FORWARDED) return ACTION.PASS;
  if (outcome === ANSWERED) return ACTION.LOCAL_DATA;
  if (outcome !== DENIED) return undefined;
  if (rcode === 3) return ACTION.NXDOMAIN;
  if (rcode !== 0) return undefined;
  return answers.length > 0 ? ACTION.LOCAL_DATA : ACTION.NODATA;
}

/** RFC 1035, section 4.1.1. */
const QR = 0x8000;
const RD = 0x0100;
const RA = 0x0080;
const HEADER_LENGTH = 12;
const A = 1;
const AAAA = 28;
const OPT = 41;
const IN = 1;
/** RFC 8914, section 2. */
const OPTION_EDE = 15;

function messageOf({ qname, qtype, rcode, ede, answers }: QueryEvent__Output, isAnswer: boolean): Buffer {
  if (!isAnswer) return Buffer.concat([uint16(0, RD, 1, 0, 0, 0), qname, uint16(qtype, IN)]);
  const addresses = addressRecords(answers);
  const edns = ede > 0 || rcode > 15 ? [optRecord(rcode >> 4, ede)] : [];
  const header = uint16(0, QR | RD | RA | (rcode & 15), 1, addresses.length, 0, edns.length);
  return Buffer.concat([header, qname, uint16(qtype, IN), ...addresses, ...edns]);
}

/** Of QueryEvent.answers. */
function addressRecords(answers: Uint8Array): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < answers.length; at += 1 + (answers[at] ?? 0)) {
    const address = answers.subarray(at + 1, at + 1 + (answers[at] ?? 0));
    const type = address.length === 4 ? A : AAAA;
    // The name is a pointer to the question's (RFC 1035, section 4.1.4).
    records.push(Buffer.concat([uint16(0xc000 | HEADER_LENGTH, type, IN, 0, 0, address.length), address]));
  }
  return records;
}

/** RFC 6891, section 6.1.2. */
function optRecord(extendedRcode: number, ede: number): Buffer {
  const option = ede > 0 ? uint16(OPTION_EDE, 2, ede - 1) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from([0]), uint16(OPT, 1232, extendedRcode << 8, 0, option.length), option]);
}

function uint16(...values: number[]): Buffer {
  const octets = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) octets.writeUInt16BE(value & 0xffff, 2 * index);
  return octets;
}
