/**
 * A decision request, from the headers that the filter sends (ARCHITECTURE.md, "A decision").
 */
import { Transport } from "../../compiled/messages.ts";
import { parseAddress } from "../../decide/address.ts";
import { type DecisionRequest, MalformedRequest } from "../../decide/request.ts";
import type { HeaderValue__Output } from "../../gen/types/envoy/config/core/v3/HeaderValue.ts";
import { readQuestion } from "./question.ts";

const PATH_PREFIX = "/dns-query?dns=";
const BASE64URL = /^[A-Za-z0-9_-]+$/;

const TRANSPORTS: ReadonlyMap<string, Transport> = new Map([
  ["udp", Transport.UDP],
  ["tcp", Transport.TCP],
  ["dot", Transport.DOT],
  ["doh", Transport.DOH],
  ["doh3", Transport.DOH3],
]);

const READ: ReadonlySet<string> = new Set([
  ":path",
  "x-dns-client",
  "x-dns-listener",
  "x-dns-transport",
  "x-dns-principal",
  "x-dns-server-name",
  "x-dns-path",
  "x-dns-tenant",
]);

/** Throws MalformedRequest for what no worker sends. */
export function readDecisionRequest(headers: readonly HeaderValue__Output[], time: number): DecisionRequest {
  const values = new Map<string, string>();
  for (const { key, value, raw_value } of headers) {
    if (!READ.has(key)) continue;
    if (values.has(key)) throw new MalformedRequest(`expected one ${key}, got several`);
    values.set(key, raw_value.length > 0 ? raw_value.toString("utf8") : value);
  }
  const path = need(values, ":path");
  if (!path.startsWith(PATH_PREFIX)) throw new MalformedRequest(`expected a :path of ${PATH_PREFIX}..., got another`);
  const text = path.slice(PATH_PREFIX.length);
  // Node's decoder skips what is no base64url.
  if (!BASE64URL.test(text)) throw new MalformedRequest("expected base64url without padding in dns=, got other text");
  const { qname, qtype } = readQuestion(Buffer.from(text, "base64url"));
  const client = need(values, "x-dns-client");
  const address = parseAddress(client);
  if (address === undefined) throw new MalformedRequest("expected an IP address in x-dns-client, got other text");
  const transport = TRANSPORTS.get(need(values, "x-dns-transport"));
  if (transport === undefined) throw new MalformedRequest("expected a transport in x-dns-transport, got other text");
  return {
    address,
    listener: need(values, "x-dns-listener"),
    transport,
    principal: values.get("x-dns-principal"),
    serverName: values.get("x-dns-server-name"),
    path: values.get("x-dns-path"),
    tenant: values.get("x-dns-tenant"),
    qname,
    qtype,
    time,
  };
}

function need(values: ReadonlyMap<string, string>, key: string): string {
  const value = values.get(key);
  if (value === undefined) throw new MalformedRequest(`expected ${key}, got no such header`);
  return value;
}
