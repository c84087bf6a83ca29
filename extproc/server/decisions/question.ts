/**
 * The question of a DNS message, and nothing else of it (RFC 1035, section 4.1).
 *
 * The filter has read the message before: whatever is not one question of class IN is no message of ours.
 */
import { MalformedRequest } from "../../decide/request.ts";

export interface Question {
  /** Wire format, uncompressed, as the client wrote it. */
  readonly qname: Uint8Array;
  readonly qtype: number;
}

const HEADER_LENGTH = 12;
const MAX_NAME_LENGTH = 255;
const MAX_LABEL_LENGTH = 63;
const QR_AND_OPCODE = 0xf8;
const CLASS_IN = 1;

export function readQuestion(message: Buffer): Question {
  if (message.length < HEADER_LENGTH) {
    throw new MalformedRequest(`expected a DNS message of at least ${HEADER_LENGTH} octets, got ${message.length}`);
  }
  if ((message.readUInt8(2) & QR_AND_OPCODE) !== 0) {
    throw new MalformedRequest("expected a query (QR 0, OPCODE 0), got another message");
  }
  const count = message.readUInt16BE(4);
  if (count !== 1) throw new MalformedRequest(`expected one question, got ${count}`);
  const end = skipName(message, HEADER_LENGTH);
  if (end + 4 > message.length) throw new MalformedRequest("expected QTYPE and QCLASS after the name, got the end");
  const qclass = message.readUInt16BE(end + 2);
  if (qclass !== CLASS_IN) throw new MalformedRequest(`expected class IN (1), got ${qclass}`);
  return { qname: message.subarray(HEADER_LENGTH, end), qtype: message.readUInt16BE(end) };
}

/** Where the name ends. A compression pointer has nothing before it to point to. */
function skipName(message: Buffer, start: number): number {
  let at = start;
  while (at < message.length && at - start < MAX_NAME_LENGTH) {
    const length = message.readUInt8(at);
    if (length > MAX_LABEL_LENGTH) throw new MalformedRequest(`expected a label, got a length octet of ${length}`);
    at += length + 1;
    if (length > 0) continue;
    if (at - start > MAX_NAME_LENGTH) break;
    return at;
  }
  throw new MalformedRequest(`expected a name of at most ${MAX_NAME_LENGTH} octets that ends in the message`);
}
