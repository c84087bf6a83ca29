/**
 * One look whether an endpoint is well, as `tcp://:PORT` or `http://:PORT/PATH` says it: a connection, or an answer with a
 * status from 200 to 399, as kubelets judge it. What is said besides is not read.
 */
import { get } from "node:http";
import { connect } from "node:net";

export function probe(check: string, address: string, timeoutMs: number): Promise<boolean> {
  const [, scheme, port, path = "/"] = CHECK.exec(check) ?? [];
  const where = { host: address, port: Number(port), timeout: timeoutMs };
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    if (scheme === "tcp") {
      const socket = connect({ ...where, signal });
      const end = (isWell: boolean) => {
        resolve(isWell);
        socket.destroy();
      };
      socket.once("connect", () => end(true));
      socket.on("error", () => end(false));
      return;
    }
    const request = get({ ...where, path, agent: false, signal, headers: { "user-agent": "dnspolicy" } });
    request.on("response", ({ statusCode = 0 }) => {
      resolve(statusCode >= 200 && statusCode < 400);
      request.destroy();
    });
    request.on("error", () => resolve(false));
  });
}

const CHECK = /^(tcp|http):\/\/:([1-9]\d{0,4})(\/[!-~]*)?$/;

/** What was expected of a check that is none; undefined for one. */
export function checkProblem(text: string): string | undefined {
  const [, scheme, port, path] = CHECK.exec(text) ?? [];
  const isSound = port !== undefined && Number(port) <= 65_535 && (scheme === "http" || path === undefined);
  return isSound ? undefined : "tcp://:PORT or http://:PORT/PATH";
}
