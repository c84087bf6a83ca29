/**
 * What an upstream may do, by the words that stories use.
 */
import packet from "dns-packet";
import { answerFrom, encodeReply, parseRecord } from "../e2e/records.ts";
import type { Asked, Oracle, Reply, Script } from "../e2e/upstream.ts";

/** An address that no zone of the tests has: whoever gets it was lied to. */
export const LIE = "198.51.100.66";

const lie = (asked: Asked, parts: { id?: number; name?: string }): Buffer => {
  const [question] = asked.query.questions ?? [];
  const name = parts.name ?? asked.name;
  return encodeReply(asked.query, {
    id: parts.id ?? asked.query.id ?? 0,
    questions: question ? [{ ...question, name }] : [],
    answers: [parseRecord(`${name} 300 A ${LIE}`)],
  });
};

const behaviours: Record<string, (oracle: Oracle, asked: Asked) => Reply> = {
  answers: (oracle, asked) => oracle.truth(asked),
  "is silent": () => ({ messages: [] }),
  "closes without an answer": () => ({ messages: [], close: true }),
  "closes after every answer": (oracle, asked) => ({ ...oracle.truth(asked), close: true }),
  "answers SERVFAIL": (_oracle, asked) => ({ messages: [encodeReply(asked.query, { rcode: 2 })] }),
  "answers REFUSED": (_oracle, asked) => ({ messages: [encodeReply(asked.query, { rcode: 5 })] }),
  "answers with a wrong id": (_oracle, asked) => ({
    messages: [lie(asked, { id: ((asked.query.id ?? 0) + 1) & 0xffff })],
  }),
  "answers another question": (_oracle, asked) => ({ messages: [lie(asked, { name: "other.test" })] }),
  "answers garbage": () => ({ messages: [Buffer.from("this is not a DNS message at all")] }),
  "echoes the query": (_oracle, asked) => ({ messages: [asked.wire] }),
  "lies, then answers": (oracle, asked) => ({
    messages: [
      lie(asked, { id: ((asked.query.id ?? 0) + 1) & 0xffff }),
      lie(asked, { name: "other.test" }),
      packet.encode({ ...asked.query, type: "query" }),
      answerFrom(oracle.zone, asked.query),
    ],
  }),
};

/** The script for words like `is silent`, or `answers after 300ms`. */
export function scriptOf(oracle: Oracle, words: string): Script {
  const delay = /^answers after (\d+)ms$/.exec(words)?.[1];
  if (delay) return (asked) => ({ ...oracle.truth(asked), delayMs: Number(delay) });
  const behaviour = behaviours[words];
  if (!behaviour)
    throw new Error(
      `expected an upstream that ${Object.keys(behaviours).join(", ")}, or answers after Nms; got "${words}"`,
    );
  return (asked) => behaviour(oracle, asked);
}
