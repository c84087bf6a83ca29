/**
 * A greedy client, as a process: goes on until it is killed, and says when it has begun.
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
}

const UNIQUE_RATE = 20_000;
const SPOOFED_RATE = 20_000;
const SOURCES = 4000;
const NON_READERS = 50;
const SLOW_CONNECTIONS = 1000;
const BEAT_MS = 2;

const attacks: Record<Attack["kind"], (attack: Attack) => Promise<void>> = {
  "unique names": askUniqueNames,
  "clients that never read": neverRead,
  "spoofed sources": spoof,
  "slow connections": connectSlowly,
};

/** Calls so many times a second, in small portions. */
function pace(rate: number, action: (number: number) => void): void {
  const started = performance.now();
  let done = 0;
  setInterval(() => {
    const due = ((performance.now() - started) * rate) / 1000;
    done = Math.max(done, due - rate / 20);
    for (; done < due; done++) action(Math.floor(done));
  }, BEAT_MS);
}

function bind(address: string): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  return new Promise((resolve) => socket.bind({ address, port: 0 }, () => resolve(socket)));
}

async function askUniqueNames({ host, ports, from }: Attack): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: 8 }, () => bind(from)));
  pace(UNIQUE_RATE, (number) => {
    const question = encodeQuestion(`u${number}.net`, { id: number & 0xffff });
    sockets[number % sockets.length]?.send(question, ports.udp, host);
  });
}

async function spoof({ host, ports }: Attack): Promise<void> {
  // Addresses of nobody: sources that never read what comes.
  const address = (index: number) => `127.${64 + (index % 64)}.${(index >> 6) & 255}.${1 + (index % 250)}`;
  const sockets: Socket[] = [];
  for (let index = 0; index < SOURCES; index++) sockets.push(await bind(address(index)));
  pace(SPOOFED_RATE, (number) => {
    const question = encodeQuestion("spoofed.org", { id: number & 0xffff });
    const at = number % SOURCES;
    sockets[at]?.send(question, ports.udp, host);
    // A new port for the next time: every datagram is a session of its own.
    if (number % 8 === 0)
      void bind(address(at)).then((socket) => {
        sockets[at]?.close();
        sockets[at] = socket;
      });
  });
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
process.send?.("begun");
