/**
 * The web page: files that `npm run build:page` made, read once when the service starts. They say nothing of this
 * deployment, so everybody who may reach the listener gets them; what they show they ask of the API, with a token.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { HttpError } from "./http-error.ts";

export interface Page {
  /** The file that a path names, `/` being the page itself; undefined for all other paths. */
  find(path: string): PageFile | undefined;
}

export interface PageFile {
  send(message: IncomingMessage, response: ServerResponse): void;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** Nothing but this origin's own files and API; no script or style in the page's text, and no text that becomes HTML. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  vary: "accept-encoding",
};

const INDEX = "index.html";
/** Vite names what is in there by its content. */
const NAMED_BY_CONTENT = "assets/";
/** Less is not worth the header. */
const LEAST_COMPRESSED = 1024;

/** The first of the folders that holds a built page; undefined where none does. */
export async function readPage(folders: readonly URL[]): Promise<Page | undefined> {
  for (const folder of folders) {
    const names = await readdir(folder, { recursive: true }).catch((): string[] => []);
    // A page that is not built has no assets.
    if (!names.includes(INDEX) || !names.some((name) => name.startsWith(NAMED_BY_CONTENT))) continue;
    const wanted = names.filter((name) => extname(name) in TYPES);
    const files = await Promise.all(
      wanted.map(async (name) => [`/${name}`, await readPageFile(folder, name)] as const),
    );
    const byPath = new Map<string, PageFile>(files);
    const index = byPath.get(`/${INDEX}`);
    return { find: (path) => (path === "/" ? index : byPath.get(path)) };
  }
  return undefined;
}

async function readPageFile(folder: URL, name: string): Promise<PageFile> {
  const plain = await readFile(new URL(name, folder));
  const type = TYPES[extname(name)] ?? "";
  const compressible = plain.length >= LEAST_COMPRESSED && extname(name) !== ".woff2";
  const packed = compressible ? await promisify(gzip)(plain) : undefined;
  const etag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  const lasting = name.startsWith(NAMED_BY_CONTENT);
  const headers = {
    ...HEADERS,
    "content-type": type,
    "cache-control": lasting ? "public, max-age=31536000, immutable" : "no-cache",
    etag,
  };
  return {
    send(message, response) {
      const { method } = message;
      if (method !== "GET" && method !== "HEAD") {
        throw new HttpError(405, `expected GET or HEAD, got ${method}`, { headers: { allow: "GET, HEAD" } });
      }
      if (message.headers["if-none-match"] === etag) {
        response.writeHead(304, headers).end();
        return;
      }
      const encoding = packed !== undefined && acceptsGzip(message) ? { "content-encoding": "gzip" } : {};
      const body = packed !== undefined && acceptsGzip(message) ? packed : plain;
      response.writeHead(200, { ...headers, ...encoding, "content-length": body.length });
      response.end(method === "HEAD" ? undefined : body);
    },
  };
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  return /(?:^|,)\s*gzip\s*(?:,|$)/i.test(String(headers["accept-encoding"] ?? ""));
}
