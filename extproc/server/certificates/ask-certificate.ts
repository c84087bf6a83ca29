/**
 * The certificate that a server shows, by a handshake and nothing after it. Whether it is to be trusted is for Envoy to say,
 * which speaks to the server: here it is only looked at.
 */
import { connect } from "node:tls";
import { type ClusterDefinition, Protocol } from "../../compiled/messages.ts";

/** Resolved with when it ends to be valid (milliseconds since 1970); rejects where none is shown. */
export function askCertificate(server: ClusterDefinition, signal: AbortSignal): Promise<number> {
  const { address, port, serverName, protocol } = server;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port,
      servername: serverName,
      // RFC 7858, section 3.1 knows of none for DoT; servers that ask for one want this.
      ALPNProtocols: protocol === Protocol.DOT ? ["dot"] : ["h2"],
      rejectUnauthorized: false,
    });
    const late = () => socket.destroy(new Error("expected a handshake in time, got none"));
    signal.addEventListener("abort", late);
    socket.once("secureConnect", () => {
      const validTo = socket.getPeerX509Certificate()?.validTo;
      socket.destroy();
      if (validTo === undefined) reject(new Error("expected a certificate, got none"));
      else resolve(Date.parse(validTo));
    });
    socket.once("error", reject);
    socket.once("close", () => {
      signal.removeEventListener("abort", late);
      reject(new Error("expected a handshake, got the end of the connection"));
    });
  });
}
