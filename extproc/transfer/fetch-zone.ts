/**
 * One zone transfer over TCP from one primary (RFC 5936, section 4.2): what has changed where something is here, else
 * the whole zone.
 */
import { randomInt } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Primary } from "../compiled/zone-reference.ts";
import { parseName } from "../resources/name-pattern.ts";
import { TransferMessage, writeQuery } from "./transfer-message.ts";
import { type TsigKey, TsigSession } from "./tsig.ts";
import { type ZoneSink, ZoneTransfer } from "./zone-transfer.ts";

export interface Fetch {
  readonly primary: Primary;
  /** In presentation format. */
  readonly zone: string;
  /** What is here; undefined: nothing, or nothing that changes could be made to. */
  readonly serial: number | undefined;
  readonly key: TsigKey | undefined;
}

const CONNECT_MS = 5000;
/** Between two pieces of an answer. */
const IDLE_MS = 30_000;
/** No list that we hold is as large. */
const MAX_OCTETS = 2 ** 31;

/** FORMERR, NOTIMP, REFUSED: of those who know no IXFR. */
const NO_IXFR = new Set([1, 4, 5]);

export class TransferRefused extends Error {
  override readonly name = "TransferRefused";
  readonly rcode: number;

  constructor(rcode: number, type: string) {
    super(`expected ${type}, got ${RCODES[rcode] ?? `rcode ${rcode}`}`);
    this.rcode = rcode;
  }

  /** The whole zone may be had all the same. */
  get lacksChanges(): boolean {
    return NO_IXFR.has(this.rcode);
  }
}

const RCODES: Readonly<Record<number, string>> = {
  1: "FORMERR",
  2: "SERVFAIL",
  3: "NXDOMAIN",
  4: "NOTIMP",
  5: "REFUSED",
  9: "NOTAUTH",
};

/** The transfer, when all of it was given to the sink. */
export async function fetchZone({ primary, zone, serial, key }: Fetch, sink: ZoneSink): Promise<ZoneTransfer> {
  const socket = connect({ host: primary.address, port: primary.port });
  try {
    await connected(socket);
    const id = randomInt(0x10000);
    const session = key && new TsigSession(key, () => Math.floor(Date.now() / 1000));
    const query = writeQuery(id, parseName(zone).wire, serial);
    socket.write(framed(session?.sign(query) ?? query));
    const transfer = new ZoneTransfer(sink, serial);
    for await (const octets of readMessages(socket)) {
      const message = new TransferMessage(octets);
      if (message.id !== id) throw new Error("expected an answer to the query, got another one");
      if (message.rcode !== 0) throw new TransferRefused(message.rcode, serial === undefined ? "AXFR" : "IXFR");
      session?.verify(message);
      for (const record of message.answers()) transfer.take(record);
      if (transfer.done) {
        session?.finish();
        return transfer;
      }
    }
    throw new Error("expected the end of the zone, got the end of the connection");
  } finally {
    socket.destroy();
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(CONNECT_MS, () =>
      socket.destroy(new Error(`expected a connection within ${CONNECT_MS} ms, got none`)),
    );
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setTimeout(IDLE_MS, () => socket.destroy(new Error(`expected more within ${IDLE_MS} ms, got nothing`)));
      resolve();
    });
  });
}

/** Messages behind their lengths (RFC 1035, section 4.2.2). */
async function* readMessages(socket: Socket): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  let total = 0;
  for await (const chunk of socket) {
    total += chunk.length;
    if (total > MAX_OCTETS) throw new Error(`expected a zone of at most ${MAX_OCTETS} octets, got more`);
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 2) {
      const length = rest.readUInt16BE(at);
      if (rest.length - at - 2 < length) break;
      yield new Uint8Array(rest.buffer, rest.byteOffset + at + 2, length);
      at += 2 + length;
    }
    rest = rest.subarray(at);
  }
}

function framed(message: Uint8Array): Uint8Array {
  return Uint8Array.from([message.length >>> 8, message.length & 0xff, ...message]);
}
