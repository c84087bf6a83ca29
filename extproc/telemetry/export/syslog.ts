/**
 * Denials to a syslog server: a datagram each (RFC 5426), or by TCP (RFC 6587) or TLS (RFC 5425) with their lengths before them.
 */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { denialOf } from "./denial.ts";
import type { EventExporter, ExportContext } from "./event-exporter.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import { syslogMessage } from "./syslog-message.ts";

export interface SyslogTarget {
  readonly transport: "udp" | "tcp" | "tls";
  readonly host: string;
  readonly port: number;
  /** PEM to trust, instead of the public authorities. */
  readonly ca?: string | undefined;
}

/** Datagrams that the system has not taken yet. */
const MAX_DATAGRAMS = 1000;

export function exportSyslog(target: SyslogTarget, context: ExportContext): EventExporter {
  const sender = target.transport === "udp" ? new Datagrams(target, context) : openStream(target, context);
  return {
    name: "syslog",
    get sent() {
      return sender.sent;
    },
    get lost() {
      return sender.lost;
    },
    take: (events, node) => {
      const messages = messagesOf(events, node);
      if (messages.length > 0) sender.send(messages);
    },
    close: () => sender.close(),
  };
}

function messagesOf(events: readonly QueryEvent__Output[], node: string): string[] {
  return events.flatMap((event) => {
    const denial = denialOf(event);
    return denial === undefined ? [] : [syslogMessage(denial, event, node)];
  });
}

function openStream({ transport, host, port, ca }: SyslogTarget, context: ExportContext) {
  const stream = new OutgoingStream({
    ...context,
    what: "syslog",
    endpoint: { kind: "tcp", host, port },
    ...(transport === "tls" ? { tls: { ca } } : {}),
  });
  return {
    get sent() {
      return stream.sent;
    },
    get lost() {
      return stream.lost;
    },
    send: (messages: readonly string[]) => {
      const frames = messages.map((message) => `${Buffer.byteLength(message)} ${message}`);
      stream.write(Buffer.from(frames.join("")), messages.length);
    },
    close: () => stream.close(),
  };
}

class Datagrams {
  readonly #socket: Socket;
  readonly #target: SyslogTarget;
  readonly #onTrouble: ExportContext["onTrouble"];
  #waiting = 0;
  #inTrouble = false;
  sent = 0;
  lost = 0;

  constructor(target: SyslogTarget, { onTrouble }: ExportContext) {
    this.#target = target;
    this.#onTrouble = onTrouble;
    this.#socket = createSocket(isIPv6(target.host) ? "udp6" : "udp4");
    this.#socket.on("error", (error) => this.#failed(error));
    this.#socket.unref();
  }

  send(messages: readonly string[]): void {
    const { host, port } = this.#target;
    for (const message of messages) {
      if (this.#waiting >= MAX_DATAGRAMS) {
        this.lost++;
        continue;
      }
      this.#waiting++;
      this.#socket.send(message, port, host, (error) => {
        this.#waiting--;
        if (error === null) {
          this.sent++;
          this.#inTrouble = false;
        } else {
          this.lost++;
          this.#failed(error);
        }
      });
    }
  }

  #failed(error: Error): void {
    if (!this.#inTrouble) this.#onTrouble(`syslog: datagrams cannot be sent: ${error.message}`);
    this.#inTrouble = true;
  }

  /** Node sends what waits before it closes. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(resolve));
  }
}
