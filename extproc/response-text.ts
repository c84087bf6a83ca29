/**
 * What an HTTP server answers, as a text of bounded size.
 */
import type { IncomingMessage } from "node:http";

/** Rejects, and ends the connection, where there are more octets than `most`. */
export async function responseText(response: IncomingMessage, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) throw new Error(`expected an answer of at most ${most} octets, got more`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString("utf8");
}
