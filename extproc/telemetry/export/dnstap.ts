/**
 * Events in the form of dnstap, over Frame Streams, to a Unix socket or by TCP.
 */
import type { Endpoint } from "../../endpoint.ts";
import { dnstapOf } from "./dnstap-message.ts";
import type { EventExporter, ExportContext } from "./event-exporter.ts";
import { dataFrames, startFrames, stopFrames } from "./frame-streams.ts";
import { OutgoingStream } from "./outgoing-stream.ts";

const CONTENT_TYPE = "protobuf:dnstap.Dnstap";

export function exportDnstap(endpoint: Endpoint, context: ExportContext): EventExporter {
  const stream = new OutgoingStream({
    ...context,
    what: "dnstap",
    endpoint,
    greet: (socket) => startFrames(socket, CONTENT_TYPE),
    part: stopFrames,
  });
  return {
    name: "dnstap",
    get sent() {
      return stream.sent;
    },
    get lost() {
      return stream.lost;
    },
    take: (events, node) => {
      const identity = Buffer.from(node);
      stream.write(dataFrames(events.map((event) => dnstapOf(event, identity))), events.length);
    },
    close: () => stream.close(),
  };
}
