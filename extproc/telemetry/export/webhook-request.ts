/**
 * One message to one webhook, by a POST.
 */
import { type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { PRODUCT, VERSION } from "../../product.ts";
import type { ExportContext } from "./event-exporter.ts";

const ANSWER_MS = 10_000;

export interface WebhookRequest {
  readonly url: string;
  /** PEM to trust instead of the public authorities. */
  readonly ca: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Rejects where it is not taken. */
export async function postWebhook(
  { url, ca, headers, body }: WebhookRequest,
  { after }: Pick<ExportContext, "after">,
  signal: AbortSignal,
): Promise<void> {
  const target = new URL(url);
  const options: RequestOptions = {
    method: "POST",
    signal,
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": `${PRODUCT}/${VERSION}`,
      ...headers,
    },
  };
  await new Promise<void>((resolve, reject) => {
    const request =
      target.protocol === "https:" ? requestHttps(target, { ...options, ca }) : requestHttp(target, options);
    const cancel = after(ANSWER_MS, () => request.destroy(new Error(`expected an answer within ${ANSWER_MS} ms`)));
    request.on("response", (response) => {
      const { statusCode = 0 } = response;
      // The status is all that counts; what else it says is read only so that the connection can be used again.
      response.resume();
      if (statusCode >= 200 && statusCode < 300) resolve();
      else reject(new Error(`expected a status of 2xx, got ${statusCode}`));
    });
    request.on("error", reject);
    request.on("close", cancel);
    request.end(body);
  });
}
