/**
 * Where primaries say that a zone has changed (RFC 1996): by UDP and TCP, from addresses that are primaries of a zone.
 * What a NOTIFY says is not believed, it only makes us ask: so it needs no signature.
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { TransferMessage, TYPE_SOA } from "./transfer-message.ts";

export interface NotifyEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface NotifyServer {
  readonly port: number;
  close(): Promise<void>;
}

const OPCODE_NOTIFY = 4;
const NOERROR = 0;
const REFUSED = 5;
const NOTIMP = 4;
/** QR, and AA as section 4.7 has it. */
const ANSWER_FLAGS = 0x8400;

/** Of a connection: it says one thing, soon. */
const IDLE_MS = 5000;
const MAX_CONNECTIONS = 100;
/** A question and a SOA. */
const MAX_OCTETS = 1024;

/** Says whether the zone is one of ours that has such a primary. */
export type Notified = (zone: string, address: string) => boolean | Promise<boolean>;

export async function startNotifyServer({ host, port }: NotifyEndpoint, notified: Notified): Promise<NotifyServer> {
  const tcp = createServer((socket) => serveConnection(socket, notified));
  tcp.maxConnections = MAX_CONNECTIONS;
  tcp.listen({ host, port });
  await once(tcp, "listening");
  const own = portOf(tcp);
  const udp = createSocket(host.includes(":") ? "udp6" : "udp4");
  udp.on("message", async (message, peer) => {
    const answer = await answerTo(message, peer.address, notified);
    if (answer !== undefined) udp.send(answer, peer.port, peer.address, () => undefined);
  });
  udp.bind(own, host);
  await once(udp, "listening");
  return { port: own, close: () => closeBoth(tcp, udp) };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function closeBoth(tcp: Server, udp: UdpSocket): Promise<void> {
  udp.close();
  tcp.close();
  await once(tcp, "close");
}

function serveConnection(socket: Socket, notified: Notified): void {
  let read: Buffer = Buffer.alloc(0);
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", async (chunk) => {
    read = Buffer.concat([read, chunk]);
    if (read.length > MAX_OCTETS) socket.destroy();
    if (read.length < 2 || read.length < 2 + read.readUInt16BE(0)) return;
    const answer = await answerTo(read.subarray(2, 2 + read.readUInt16BE(0)), socket.remoteAddress ?? "", notified);
    if (answer === undefined) socket.destroy();
    else socket.end(Buffer.concat([Buffer.from([answer.length >>> 8, answer.length & 0xff]), answer]));
  });
}

/** Undefined for what is no query at all. */
async function answerTo(octets: Uint8Array, peer: string, notified: Notified): Promise<Uint8Array | undefined> {
  try {
    const message = new TransferMessage(octets);
    if ((message.flags & 0x8000) !== 0) return undefined;
    const question = message.question();
    if (message.opcode !== OPCODE_NOTIFY || question?.type !== TYPE_SOA) return answer(message, NOTIMP, 0);
    const known = await notified(question.name.slice(0, -1), peer.replace(/^::ffff:/, ""));
    return answer(message, known ? NOERROR : REFUSED, question.end);
  } catch {
    return undefined;
  }
}

/** With the question as it came, where it is known how long that is. */
function answer({ octets, id, opcode }: TransferMessage, rcode: number, questionEnd: number): Uint8Array {
  const head = new Uint8Array(Math.max(12, questionEnd));
  head.set(octets.subarray(0, questionEnd));
  const view = new DataView(head.buffer);
  view.setUint16(0, id);
  view.setUint16(2, ANSWER_FLAGS | (opcode << 11) | rcode);
  view.setUint16(4, questionEnd > 0 ? 1 : 0);
  view.setUint16(6, 0);
  view.setUint16(8, 0);
  view.setUint16(10, 0);
  return head;
}
