/**
 * `dnspolicy register`: makes this machine an endpoint of a ServiceEntry for as long as the command runs.
 */

import type { RegistrationRequest } from "../mesh/sources/registration.ts";
import { parseInterval } from "../resources/duration.ts";
import type { AdminCall } from "./admin-client.ts";
import { ask, type ClientOptions } from "./ask.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export interface RegisterOptions extends ClientOptions {
  readonly service: string;
  readonly namespace: string;
  readonly address: string;
  readonly name?: string;
  readonly port?: readonly string[];
  readonly label?: readonly string[];
  readonly locality?: string;
  readonly serviceAccount?: string;
  readonly check?: string;
  readonly ttl: string;
  readonly once?: boolean;
}

/** Two beats may be lost. */
const BEATS_PER_TTL = 3;
/** After a beat that failed, if that is sooner. */
const RETRY_MS = 2000;

export async function runRegister(context: Context, options: RegisterOptions): Promise<ExitCode> {
  const ttl = parseInterval(options.ttl);
  if (typeof ttl === "string") throw new CommandError(ExitCode.USAGE, `expected --ttl of ${ttl}, got ${options.ttl}`);
  const { namespace, service, address } = options;
  const name = options.name ?? `${service}-${address.replaceAll(/[.:]/g, "-")}`.toLowerCase();
  const path = `/v1/workloads/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
  const registration: AdminCall = {
    method: "PUT",
    path,
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(toRequest(options))),
  };
  // The first is to succeed: what is wrong with it is for the person who wrote it.
  await ask(context, options, registration);
  context.stdout.write(`${namespace}/${name} is an endpoint of ${service}\n`);
  if (options.once) return ExitCode.OK;
  await beatUntilStopped(context, options, registration, (ttl * 1000) / BEATS_PER_TTL);
  await ask(context, options, { method: "DELETE", path });
  context.stdout.write(`${namespace}/${name} is an endpoint no more\n`);
  return ExitCode.OK;
}

function toRequest(options: RegisterOptions): RegistrationRequest {
  const { service, address, port = [], label = [], locality, serviceAccount, check, ttl } = options;
  const ports = Object.fromEntries(port.map((text) => [...pairOf("--port", text)] as const));
  return {
    service,
    address,
    ports: Object.fromEntries(Object.entries(ports).map(([name, number]) => [name, Number(number)])),
    labels: Object.fromEntries(label.map((text) => pairOf("--label", text))),
    ...(locality === undefined ? {} : { locality }),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    ...(check === undefined ? {} : { check }),
    ttl,
  };
}

function pairOf(flag: string, text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new CommandError(ExitCode.USAGE, `expected ${flag} NAME=VALUE, got ${text}`);
}

/** A service that is away, or begins anew, is asked again until it answers. */
function beatUntilStopped(
  context: Context,
  options: RegisterOptions,
  registration: AdminCall,
  everyMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    let cancel = (): void => {};
    let failing = false;
    let stopped = false;
    const beat = async (): Promise<void> => {
      const failed = await ask(context, { ...options, timeoutMs: everyMs }, registration).then(
        () => undefined,
        (error: Error) => error,
      );
      if (failed !== undefined && !failing) context.stderr.write(`not registered: ${failed.message}\n`);
      if (failed === undefined && failing) context.stderr.write("registered again\n");
      failing = failed !== undefined;
      if (!stopped) cancel = context.clock.after(failing ? Math.min(RETRY_MS, everyMs) : everyMs, () => void beat());
    };
    context.onStop(() => {
      stopped = true;
      cancel();
      resolve();
    });
    cancel = context.clock.after(everyMs, () => void beat());
  });
}
