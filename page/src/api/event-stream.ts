/**
 * Server-sent events (HTML, section 9.2) of a response: read here, because EventSource sends no token.
 */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** What came at once. Ends when the response does; comments and fields that nobody uses are left out. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<readonly ServerEvent[]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const end = rest.lastIndexOf("\n\n");
    if (end < 0) continue;
    const events = rest.slice(0, end).split("\n\n").flatMap(parseEvent);
    rest = rest.slice(end + 2);
    if (events.length > 0) yield events;
  }
}

/** The service writes each field once, with one space, and line feeds alone. */
function parseEvent(text: string): ServerEvent[] {
  let event = "message";
  let data: string | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice("event: ".length);
    if (line.startsWith("data: ")) data = line.slice("data: ".length);
  }
  return data === undefined ? [] : [{ event, data }];
}
