/**
 * Small HTTP requests to a port of this machine or a Unix socket, of which `fetch` knows only the first.
 */
import { request } from "node:http";
import type { Endpoint } from "../envoy/options.ts";

export interface HttpAnswer {
  status: number;
  body: string;
}

export interface HttpRequest {
  method: "GET" | "POST" | "PUT";
  path: string;
  body?: string;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

export function send(
  endpoint: Endpoint,
  { method, path, body, headers = {}, timeoutMs = 2000 }: HttpRequest,
): Promise<HttpAnswer> {
  const target = "path" in endpoint ? { socketPath: endpoint.path } : { host: endpoint.address, port: endpoint.port };
  return new Promise((resolve, reject) => {
    const length = { "content-length": Buffer.byteLength(body ?? "") };
    const call = request({
      ...target,
      method,
      path,
      headers: { host: "localhost", ...length, ...headers },
      agent: false,
    });
    call.setTimeout(timeoutMs, () => call.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)));
    call.once("error", reject);
    call.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    call.end(body);
  });
}
