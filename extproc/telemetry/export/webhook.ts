/**
 * Denials and what guards found, to a webhook, in the form of Standard Webhooks.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Delivery, type Parcel } from "./delivery.ts";
import type { EventExporter, ExportContext } from "./event-exporter.ts";
import { type Alert, WebhookAlerts } from "./webhook-alerts.ts";
import { postWebhook } from "./webhook-request.ts";
import { readSecrets, signatureHeaders } from "./webhook-signature.ts";
import type { WebhookOptions } from "./webhooks-file.ts";

/** Messages that may wait. */
const MAX_WAITING = 1000;
const MAX_TRIES = 8;

interface Message extends Parcel {
  readonly id: string;
  readonly body: string;
}

/** `ca`: PEM of the file that the options name. */
export interface WebhookTarget extends WebhookOptions {
  readonly ca: string | undefined;
}

export function exportWebhook(target: WebhookTarget, context: ExportContext): EventExporter {
  const { name, url, ca, secretFile, window } = target;
  const { now, after } = context;
  const alerts = new WebhookAlerts(target);
  const delivery = new Delivery<Message>({
    ...context,
    what: `webhook ${name}: a message`,
    maxWaiting: MAX_WAITING,
    attempt: async ({ id, body }, signal) => {
      // Read for each try, so that a secret can be changed while the service runs.
      const keys = readSecrets(await readFile(secretFile, "utf8"));
      if (typeof keys === "string") throw new Error(`expected ${keys} in ${secretFile}`);
      const headers = signatureHeaders(keys, id, Math.floor(now() / 1000), body);
      await postWebhook({ url, ca, headers, body }, context, signal);
    },
    givesUp: (tries) => tries >= MAX_TRIES,
  });
  let cancel: (() => void) | undefined;
  const tell = () => {
    cancel?.();
    cancel = undefined;
    delivery.send(alerts.take().map(messageOf));
  };
  return {
    name: `webhook_${name}`,
    get sent() {
      return delivery.sent;
    },
    get lost() {
      return delivery.lost + alerts.lost;
    },
    take: (events, node) => {
      for (const event of events) alerts.add(event, node);
      if (alerts.some) cancel ??= after(window, tell);
    },
    close: () => {
      tell();
      return delivery.close();
    },
  };
}

/** The specification's "Payload structure". */
function messageOf({ kind, ...data }: Alert): Message {
  const { count, first } = data;
  const body = JSON.stringify({ type: `dns.${kind}`, timestamp: first, data });
  return { id: `msg_${randomUUID()}`, count, size: 1, body };
}
