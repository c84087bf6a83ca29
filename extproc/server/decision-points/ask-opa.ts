/**
 * A question to Open Policy Agent, by its REST API ("Data API", POST /v1/data/...): `input` is the question, `result` what the
 * document of the URL makes of it.
 */
import { Agent as HttpAgent, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { z } from "zod";
import type { Decider, PointQuestion, Said } from "../../compiled/decision-point.ts";
import { presentAddress } from "../../dns/address.ts";
import { typeName } from "../../dns/numbers.ts";
import { responseText } from "../../response-text.ts";
import { nameOf, TRANSPORTS } from "../../telemetry/labels.ts";
import type { Clock } from "../clock.ts";
import { labelsAbove } from "./said-cache.ts";

/** A decision is small. */
const MAX_OCTETS = 64 * 1024;
const CONNECTIONS = { keepAlive: true, maxSockets: 64 };
const MAX_REASON = 1000;

/** `true` or `false`, or more of it. */
const result = z.union([
  z.boolean().transform((allow) => ({ allow })),
  z
    .object({
      allow: z.boolean().optional(),
      /** Instead of `allow`, which says Accept or Deny. */
      action: z.enum(["Accept", "Deny", "Pass"]).optional(),
      reason: z.string().optional(),
      /** Seconds. */
      ttl: z.number().min(0).optional(),
      /** It holds for every name at or below this one. */
      below: z.string().optional(),
      anyType: z.boolean().optional(),
      anyTransport: z.boolean().optional(),
    })
    .refine(({ allow, action }) => (allow === undefined) !== (action === undefined)),
]);
type Result = {
  readonly allow?: boolean | undefined;
  readonly action?: Said["action"] | undefined;
  readonly reason?: string | undefined;
  readonly ttl?: number | undefined;
  readonly below?: string | undefined;
  readonly anyType?: boolean | undefined;
  readonly anyTransport?: boolean | undefined;
};

export class Opa {
  readonly #clock: Clock;
  readonly #http = new HttpAgent(CONNECTIONS);
  readonly #https = new HttpsAgent(CONNECTIONS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects where nothing that can be understood was said in time. */
  readonly ask = async (decider: Decider, question: PointQuestion, timeoutMs: number): Promise<Said> => {
    const text = await this.#post(decider.url, JSON.stringify({ input: inputOf(question) }), timeoutMs);
    return readAnswer(text, decider, question, this.#clock.now());
  };

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #post(url: string, body: string, timeoutMs: number): Promise<string> {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const request = url.startsWith("https:")
        ? requestHttps(url, { method: "POST", headers, agent: this.#https })
        : requestHttp(url, { method: "POST", headers, agent: this.#http });
      const late = () => request.destroy(new Error(`expected an answer within ${timeoutMs} ms, got none`));
      const cancel = this.#clock.after(timeoutMs, late);
      request.on("response", (response) => {
        const { statusCode } = response;
        const read = (text: string) => {
          if (statusCode === 200) resolve(text);
          else reject(new Error(`expected status 200 of ${url}, got ${statusCode}`));
        };
        responseText(response, MAX_OCTETS).then(read, reject);
      });
      request.on("error", reject);
      request.on("close", cancel);
      request.end(body);
    });
  }
}

function inputOf({ tenant, name, qtype, transport, client }: PointQuestion): object {
  const who = client === undefined ? {} : { client: presentAddress(client) };
  return { tenant, name, type: typeName(qtype), transport: nameOf(TRANSPORTS, transport), ...who };
}

/** `now`: milliseconds since 1970. */
export function readAnswer(text: string, { ttlMs }: Decider, { name }: PointQuestion, now: number): Said {
  const answer = JSON.parse(text) as { readonly result?: unknown } | null;
  if (answer?.result === undefined) throw new Error("expected a result, got none: is there such a document?");
  const read = result.safeParse(answer.result);
  if (!read.success) {
    throw new Error(
      `expected a result as true, or {"allow": true}, got ${JSON.stringify(answer.result).slice(0, 200)}`,
    );
  }
  const { allow, action, reason = "", ttl, below, anyType = false, anyTransport = false }: Result = read.data;
  const labels = below === undefined ? undefined : labelsAbove(name, below);
  if (below !== undefined && labels === undefined)
    throw new Error(`expected a domain of ${name} in below, got ${below}`);
  return {
    action: action ?? (allow === true ? "Accept" : "Deny"),
    reason: reason.slice(0, MAX_REASON),
    labels,
    anyType,
    anyTransport,
    until: now + Math.min(ttlMs, ttl === undefined ? ttlMs : ttl * 1000),
  };
}
