/**
 * Frame Streams, the framing of dnstap, as its writer speaks it to a reader that answers (fstrm, "bi-directional"): READY,
 * ACCEPT, START, data frames, STOP, FINISH. All numbers have 32 bits, in network order.
 */
import type { Socket } from "node:net";

/** Types of control frames. */
const ACCEPT = 1;
const START = 2;
const STOP = 3;
const READY = 4;
const FINISH = 5;

/** Of a control frame, the field that says what the frames carry. */
const CONTENT_TYPE = 1;
/** FSTRM_CONTROL_FRAME_LENGTH_MAX of fstrm. */
const MAX_CONTROL_LENGTH = 512;

export async function startFrames(socket: Socket, contentType: string): Promise<void> {
  socket.write(control(READY, contentType));
  await expectControl(socket, ACCEPT, contentType);
  socket.write(control(START, contentType));
}

export async function stopFrames(socket: Socket): Promise<void> {
  socket.write(control(STOP));
  await expectControl(socket, FINISH);
}

export function dataFrames(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(frames.flatMap((frame) => [uint32(frame.length), frame]));
}

function control(type: number, contentType?: string): Buffer {
  const field =
    contentType === undefined ? [] : [uint32(CONTENT_TYPE), uint32(contentType.length), Buffer.from(contentType)];
  const content = Buffer.concat([uint32(type), ...field]);
  // A data frame of no octets is the escape.
  return Buffer.concat([uint32(0), uint32(content.length), content]);
}

/** Rejects where anything else comes. */
function expectControl(socket: Socket, type: number, contentType = ""): Promise<void> {
  return new Promise((resolve, reject) => {
    let octets: Buffer = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      octets = Buffer.concat([octets, chunk]);
      if (octets.length < 12) return;
      const length = octets.readUInt32BE(4);
      if (octets.readUInt32BE(0) !== 0 || length < 4 || length > MAX_CONTROL_LENGTH) {
        finish(new Error("expected a control frame, got something else"));
        return;
      }
      if (octets.length < 8 + length) return;
      const got = octets.readUInt32BE(8);
      if (got !== type) finish(new Error(`expected control frame ${type}, got ${got}`));
      else if (octets.includes(contentType)) finish();
      else finish(new Error(`expected a reader of ${contentType}, got one that takes something else`));
    };
    const closed = () => finish(new Error(`expected control frame ${type}, got the end of the connection`));
    const finish = (error?: Error) => {
      socket.off("data", take).off("close", closed);
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on("data", take).once("close", closed);
  });
}

function uint32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
}
