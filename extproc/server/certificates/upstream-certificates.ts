/**
 * Until when the certificates of upstream servers are valid: each that speaks TLS over TCP is looked at now and again, for as
 * long as the policy in force names it.
 */
import { type ClusterDefinition, Protocol } from "../../compiled/messages.ts";
import type { Clock } from "../clock.ts";

export interface UpstreamServer {
  /** metadata.name of the Upstream. */
  readonly upstream: string;
  /** Name of the Envoy cluster that is this server. */
  readonly cluster: string;
  readonly address: string;
  readonly port: number;
  /** Empty with TCP. */
  readonly serverName: string;
  /** Undefined where it has none, or nobody has looked. */
  readonly certificate?: CertificateStatus;
}

export interface CertificateStatus {
  /** Milliseconds since 1970, as of the last time that it was seen. */
  readonly validUntil?: number;
  /** Why it was not seen the last time; empty when it was. */
  readonly error: string;
}

export interface UpstreamCertificatesOptions {
  readonly clock: Clock;
  /** Between two looks; undefined: nobody looks. */
  readonly everyMs: number | undefined;
  readonly ask: (server: ClusterDefinition, signal: AbortSignal) => Promise<number>;
}

const ASK_MS = 5000;
/** After a look that has seen nothing. */
const RETRY_MS = 60_000;
/** Looks at once. */
const MAX_UNDER_WAY = 8;

interface Known {
  readonly server: ClusterDefinition;
  certificate: CertificateStatus | undefined;
  cancel: () => void;
}

export class UpstreamCertificates {
  readonly #options: UpstreamCertificatesOptions;
  #known = new Map<string, Known>();
  readonly #waiting: Known[] = [];
  #underWay = 0;

  constructor(options: UpstreamCertificatesOptions) {
    this.#options = options;
  }

  /** The servers of the policy in force. A server that is another is another cluster. */
  follow(servers: readonly ClusterDefinition[]): void {
    const before = this.#known;
    this.#known = new Map(
      servers.map((server) => [server.name, before.get(server.name) ?? { server, certificate: undefined, cancel }]),
    );
    for (const [name, known] of before) if (!this.#known.has(name)) known.cancel();
    for (const [name, known] of this.#known) if (!before.has(name)) this.#look(known);
  }

  list(): UpstreamServer[] {
    return [...this.#known.values()].map(({ server: { name, address, port, serverName }, certificate }) => {
      const [, upstream = ""] = name.split("/");
      return { upstream, cluster: name, address, port, serverName, ...(certificate && { certificate }) };
    });
  }

  close(): void {
    this.follow([]);
  }

  #look(known: Known): void {
    const { everyMs } = this.#options;
    if (everyMs === undefined || !showsCertificate(known.server)) return;
    this.#waiting.push(known);
    this.#next();
  }

  #next(): void {
    if (this.#underWay >= MAX_UNDER_WAY) return;
    const known = this.#waiting.shift();
    if (known === undefined) return;
    if (!this.#isWanted(known)) {
      this.#next();
      return;
    }
    this.#underWay++;
    void this.#ask(known).then(() => {
      this.#underWay--;
      this.#next();
    });
  }

  async #ask(known: Known): Promise<void> {
    const { clock, everyMs = 0, ask } = this.#options;
    const late = new AbortController();
    const inTime = clock.after(ASK_MS, () => late.abort());
    known.cancel = () => late.abort();
    try {
      known.certificate = { validUntil: await ask(known.server, late.signal), error: "" };
    } catch (error) {
      known.certificate = { ...known.certificate, error: error instanceof Error ? error.message : String(error) };
    }
    inTime();
    if (!this.#isWanted(known)) return;
    const again = known.certificate.error === "" ? everyMs : Math.min(everyMs, RETRY_MS);
    known.cancel = clock.after(again, () => this.#look(known));
  }

  #isWanted(known: Known): boolean {
    return this.#known.get(known.server.name) === known;
  }
}

function cancel(): void {}

/** That of QUIC is shown to nobody who does not speak it. */
function showsCertificate({ protocol }: ClusterDefinition): boolean {
  return protocol === Protocol.DOT || protocol === Protocol.DOH;
}
