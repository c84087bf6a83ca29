/**
 * The demo's policy and zone, on the harness or in the running deployment that the environment names.
 */
import { startDemoStack } from "../prove/transports.ts";
import { Asker, type Target, targetFromEnvironment } from "./target.ts";

export interface Opened {
  target: Target;
  ask: Asker;
  close(): Promise<void>;
}

export async function openDemo(): Promise<Opened> {
  const running = targetFromEnvironment();
  if (running) return { target: running, ask: new Asker(running), close: async () => {} };
  const stack = await startDemoStack();
  return { target: stack.target, ask: stack.ask, close: () => stack.stop() };
}
