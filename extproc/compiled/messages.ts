/**
 * What the policy service says to workers, as plain objects in the shape that protobufjs and proto-loader encode
 * (keepCase, 64-bit numbers as decimal strings where they do not fit a double).
 *
 * The contract is protos/verdict.proto and protos/sync.proto; the comments there are normative. The room that
 * decides builds these, the room that serves encodes them, and nothing is translated in between.
 */

export const Extent = { EXACT: 0, BELOW: 1, AT_OR_BELOW: 2 } as const;
export type Extent = (typeof Extent)[keyof typeof Extent];

export const Transport = { UDP: 0, TCP: 1, DOT: 2, DOH: 3, DOH3: 4 } as const;
export type Transport = (typeof Transport)[keyof typeof Transport];

export const Protocol = { DOT: 0, TCP: 1, DOH: 2, DOH3: 3 } as const;
export type Protocol = (typeof Protocol)[keyof typeof Protocol];

export const Strategy = { ORDERED: 0, ROUND_ROBIN: 1, FASTEST: 2, RACE: 3 } as const;
export type Strategy = (typeof Strategy)[keyof typeof Strategy];

/** Bits 1 << Evidence of sync.proto. */
export const EvidenceBit = { PRINCIPAL: 1, SERVER_NAME: 2, PATH: 4 } as const;

export interface VerdictClient {
  readonly subject: number;
  readonly tenant: string;
  readonly prefix: number;
  readonly log_all: boolean;
  readonly unexplained: boolean;
  /** Of 10,000; 0 is all. */
  readonly sample: number;
  readonly current_only: boolean;
  readonly trace_context: boolean;
  readonly limits?: TenantLimitsMessage;
}

export interface TenantLimitsMessage {
  readonly pending?: Alternative;
  readonly connections: number;
  readonly cache_share: number;
  readonly storm?: Alternative;
}

export interface VerdictScope {
  readonly labels: number;
  readonly extent: Extent;
  readonly except: readonly number[];
  readonly types: readonly number[];
  readonly types_excluded: boolean;
  readonly transports: number;
  readonly lifetime_ms: number;
}

export interface Forward {
  readonly upstream: number;
  /** fixed64, decimal. */
  readonly view: string;
}

export interface Deny {
  readonly rcode: number;
  readonly ede_code: number;
  readonly ede_text: string;
  readonly ttl: number;
  readonly soa_labels: number;
  readonly form: DenyForm;
  readonly records: readonly RecordMessage[];
}

export const DenyForm = { RCODE: 0, DROP: 1, TRUNCATE: 2, RECORDS: 3 } as const;
export type DenyForm = (typeof DenyForm)[keyof typeof DenyForm];

export interface RecordMessage {
  readonly type: number;
  /** Octets in base64, as protobufjs takes them. */
  readonly data: string;
}

/** RuleAction of verdict.proto. */
export const RuleAction = {
  ACCEPT: 0,
  DENY: 1,
  PASS: 2,
  ROUTE: 3,
  FAULT: 4,
  ANSWER: 5,
  TTL: 6,
  REWRITE: 7,
  RATE_LIMIT: 8,
  STRIP: 9,
  MIRROR: 10,
} as const;
export type RuleAction = (typeof RuleAction)[keyof typeof RuleAction];

export interface AuditMessage {
  readonly policy: string;
  readonly rule: string;
  readonly action: RuleAction;
  /** Of 10,000; 0 is always. */
  readonly chance: number;
  readonly meter?: MeterMessage;
}

/** Meter.Kind of verdict.proto. */
export const MeterKind = { QUERIES: 0, UNIQUE_NAMES: 1, PENDING: 2, INFORMATION: 3, NXDOMAIN: 4 } as const;
export type MeterKind = (typeof MeterKind)[keyof typeof MeterKind];

export interface MeterMessage {
  /** fixed64, decimal. */
  readonly id: string;
  readonly kind: MeterKind;
  readonly by_client: boolean;
  readonly count: number;
  readonly per_ms: number;
  readonly burst: number;
}

/** What an upstream's answer is judged by. */
export interface ResponseRulesMessage {
  /** fixed64, decimal. */
  readonly id: string;
  readonly rules: readonly ResponseRuleMessage[];
  readonly unexplained: boolean;
}

export interface ResponseRuleMessage {
  readonly action: RuleAction;
  readonly tier: number;
  readonly outcome: {
    readonly policy: string;
    readonly rule: string;
    readonly deny?: Deny;
    readonly audits: readonly AuditMessage[];
  };
  /** Lists of verdict.proto, in base64. */
  readonly names: string;
  readonly except: string;
  readonly targets: string;
  readonly networks: string;
  readonly types: string;
  readonly ttl_min: number;
  readonly ttl_max: number;
}

export interface Fault {
  readonly rcode: number;
  readonly form: DenyForm;
  readonly ede_text: string;
}

export interface AnswerMessage {
  readonly records: readonly RecordMessage[];
  readonly ttl: number;
  readonly soa_labels: number;
  /** In base64; empty without one. */
  readonly alias: string;
  readonly forward?: Forward;
}

/** Rewrite of verdict.proto. */
export interface RewriteMessage {
  readonly labels: number;
  /** In base64. */
  readonly to: string;
  readonly forward?: Forward;
}

export interface MirrorMessage {
  readonly upstream: number;
  /** Of 10,000; 0 is always. */
  readonly chance: number;
}

export interface DelayMessage {
  /** Of 10,000; 0 is always. */
  readonly chance: number;
  readonly milliseconds: number;
}

export type Action =
  | { readonly forward: Forward }
  | { readonly deny: Deny }
  | { readonly fault: Fault }
  | { readonly answer: AnswerMessage }
  | { readonly rewrite: RewriteMessage };

/** What is done, and by which rule. */
export type Outcome = Action & {
  readonly policy: string;
  readonly rule: string;
  readonly audits: readonly AuditMessage[];
  readonly delays: readonly DelayMessage[];
  /** The names of the mesh that come first: fixed64, decimal; absent where there are none. */
  readonly mesh_view?: string;
  /** Seconds; 0 is none. */
  readonly ttl_min: number;
  readonly ttl_max: number;
  readonly strip: boolean;
  /** Who is asked beside an upstream; absent for nobody. */
  readonly mirror?: MirrorMessage;
};

/** What comes about by chance, of 10,000, or where a meter has run over. */
export type Alternative = Outcome & { readonly chance: number; readonly meter?: MeterMessage };

export type Verdict = Outcome & {
  readonly revision: number;
  readonly client: VerdictClient;
  readonly scope: VerdictScope;
  readonly alternatives: readonly Alternative[];
  readonly responses?: ResponseRulesMessage;
};

export interface ServerMessage {
  readonly cluster: string;
  readonly name: string;
  readonly authority: string;
  readonly path: string;
  readonly priority: number;
}

export interface UpstreamMessage {
  readonly id: number;
  readonly name: string;
  readonly protocol: Protocol;
  readonly servers: readonly ServerMessage[];
  readonly ecs: boolean;
  readonly strategy: Strategy;
  readonly unpadded: boolean;
  readonly health_interval_ms: number;
  /** Wire format, in base64. */
  readonly health_name: string;
  readonly trace_context: boolean;
}

export interface RevisionMessage {
  readonly sequence: number;
  /** fixed64, decimal. */
  readonly hash: string;
  readonly upstreams: readonly UpstreamMessage[];
  readonly evidence: number;
  readonly lists_changed?: ListsChangedMessage;
  /** fixed64, decimal: of the names in lists. */
  readonly lists: string;
}

export interface ListsChangedMessage {
  /** Revision.lists before. */
  readonly since: string;
  readonly names: readonly Uint8Array[];
}

/** One Envoy cluster: everything that defines one upstream server. Its name changes whenever anything else here does. */
export interface ClusterDefinition {
  readonly name: string;
  readonly protocol: Protocol;
  /** An IPv4 or IPv6 address, in its canonical text. */
  readonly address: string;
  readonly port: number;
  /** SNI, and the DNS name that the certificate must carry; empty with TCP. */
  readonly serverName: string;
  /** PEM of the authorities to trust; empty for the system's. */
  readonly ca: string;
  /** SHA-256 of public keys (base64), of which the server's must be one; none: any key. */
  readonly pins: readonly string[];
  /** Files on Envoy's machine; undefined: no certificate is shown. */
  readonly clientCertificate: { readonly certificateFile: string; readonly keyFile: string } | undefined;
  readonly minimumVersion: "1.2" | "1.3";
}
