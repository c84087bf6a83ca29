/**
 * A greedy client, as a process: goes on until it is killed, says when it has begun, and, asked, how much it has sent: one
 * that gets no room from those whom it attacks would prove nothing.
 */
import { createSocket, type Socket } from "node:dgram";
import { connect } from "node:net";
import { frame } from "../e2e/clients/stream.ts";
import { encodeQuestion } from "../e2e/dns.ts";
import type { Target } from "../e2e/target.ts";

export interface Attack {
  kind: "unique names" | "clients that never read" | "spoofed sources" | "slow connections";
  host: string;
  ports: Target["ports"];
  from: string;
  /** Datagrams a second, of unique names and of spoofed sources. */
  flood: number;
}

/** Of a flood of 20,000/s, as many as come in 0.6 s: longer than a session lingers, so each datagram is a new one. */
const SOURCES = 12_000;
const NON_READERS = 50;
const SLOW_CONNECTIONS = 1000;
const BEAT_MS = 2;

const attacks: Record<Attack["kind"], (attack: Attack) => Promise<void>> = {
  "unique names": askUniqueNames,
  "clients that never read": neverRead,
  "spoofed sources": spoof,
  "slow connections": connectSlowly,
};

let sent = 0;

/** Calls so many times a second, in small portions: what could not be done in time is left out. */
function pace(rate: number, action: (number: number) => void): void {
  const started = performance.now();
  let done = 0;
  setInterval(() => {
    const due = ((performance.now() - started) * rate) / 1000;
    done = Math.max(done, due - rate / 50);
    for (; done < due; done++, sent++) action(Math.floor(done));
  }, BEAT_MS);
}

function openSocket(address: string, { host, ports }: Attack): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  return new Promise((resolve) =>
    socket.bind({ address, port: 0 }, () => socket.connect(ports.udp, host, () => resolve(socket))),
  );
}

/** A question whose name has a number to be put in, and where. */
const DIGITS = 9;
const numbered = encodeQuestion(`u${"0".repeat(DIGITS)}.net`);
const NUMBER_AT = numbered.indexOf("0".repeat(DIGITS), 12, "latin1");

async function askUniqueNames(attack: Attack): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: 8 }, () => openSocket(attack.from, attack)));
  pace(attack.flood, (number) => {
    const question = Buffer.from(numbered);
    question.writeUInt16BE(number & 0xffff);
    question.write(String(number).padStart(DIGITS, "0"), NUMBER_AT, "latin1");
    sockets[number % sockets.length]?.send(question);
  });
}

async function spoof(attack: Attack): Promise<void> {
  // Addresses of nobody: sources that never read what comes.
  const address = (index: number) => `127.${64 + (index % 64)}.${(index >> 6) & 255}.${1 + (index % 250)}`;
  const sockets: Socket[] = [];
  for (let index = 0; index < SOURCES; index++) sockets.push(await openSocket(address(index), attack));
  const question = encodeQuestion("spoofed.org");
  pace(attack.flood, (number) => sockets[number % SOURCES]?.send(question));
}

async function neverRead({ host, ports, from }: Attack): Promise<void> {
  const questions = frame(...Array.from({ length: 200 }, (_, index) => encodeQuestion("big.org", { id: index })));
  const open = () => {
    const socket = connect({ host, port: ports.tcp, localAddress: from });
    socket.pause();
    socket.on("error", () => {});
    socket.on("close", () => setTimeout(open, 100));
    const write = () => {
      while (socket.writable && socket.write(questions));
    };
    socket.on("connect", write);
    socket.on("drain", write);
  };
  for (let index = 0; index < NON_READERS; index++) open();
}

async function connectSlowly({ host, ports, from }: Attack): Promise<void> {
  const question = frame(encodeQuestion("slow.org"));
  const open = (index: number) => {
    // 20 connections are one client's: these are as many clients as it takes.
    const address = from.replace(/\d+$/, String(1 + (index % 250)));
    const socket = connect({ host, port: ports.tcp, localAddress: address });
    let at = 0;
    const timer = setInterval(() => {
      if (socket.writable) socket.write(question.subarray(at, ++at));
    }, 500);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      setTimeout(() => open(index), 100);
    });
  };
  for (let index = 0; index < SLOW_CONNECTIONS; index++) open(index);
}

const attack = JSON.parse(process.argv[2] ?? "{}") as Attack;
await attacks[attack.kind](attack);
process.on("message", () => process.send?.(sent));
process.send?.("begun");
