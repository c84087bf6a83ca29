/**
 * Where everything lies in the buffer of a compiled policy set: named sections of 32-bit words, and one of bytes.
 *
 * Records are runs of words; the offsets of their fields are the constants here. The compiler writes by them, the
 * decision thread reads by them, and no object is made on either side of the swap.
 */

/** Sections of 32-bit words, and what a record of each is. */
export const SECTIONS = [
  "stringOffsets", // start of each string in `bytes`; one more than there are strings
  "nodes", // NODE_*: one trie node
  "edges", // EDGE_*: open addressing by (parent, hash)
  "lists", // runs of numbers that other records point into
  "policies", // POLICY_*
  "rules", // RULE_*
  "tenants", // TENANT_*
  "conditions", // CONDITION_*: which clients of its tenants a policy speaks of
  "schedules", // SCHEDULE_*
  "transitions", // TRANSITION_*: when time zones change their clocks
  "zones", // ZONE_*: a place to forward to, with its view
  "tenantIndex", // INDEX_*: names of tenants -> tenant
  "serverNameIndex", // INDEX_*: server names that tenants match -> string
  "pathIndex", // INDEX_*: paths that tenants match -> string
  "groups", // GROUP_*: open addressing by (principal, server name, path)
  "boundaries4", // first address of each interval, one word
  "values4", // IDENTITY word of each interval
  "boundaries6", // first address of each interval, four words, most significant first
  "values6", // IDENTITY word of each interval
] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Word offset and length of each section; `bytes` in octets. */
export interface Directory {
  readonly words: Readonly<Record<SectionName, readonly [offset: number, length: number]>>;
  readonly bytes: readonly [offset: number, length: number];
}

export type Sections = Readonly<Record<SectionName, Uint32Array>> & { readonly bytes: Uint8Array };

/** What walking a trie takes: of a policy set, or of a list of names. */
export type TrieSections = Pick<Sections, "nodes" | "edges" | "lists" | "bytes">;

export const NODE_WORDS = 6;
export const NODE_CHILD_HASHES = 0; // start in lists; only with at most MAX_EXCEPT children
export const NODE_CHILDREN = 1;
export const NODE_BELOW = 2; // start in lists: what holds for every name strictly below
export const NODE_BELOW_COUNT = 3;
export const NODE_EXACT = 4; // start in lists: what holds for the name itself
export const NODE_EXACT_COUNT = 5;

export const EDGE_WORDS = 5;
export const EDGE_CHILD = 0; // 0: the slot is free (node 0 is nobody's child)
export const EDGE_PARENT = 1;
export const EDGE_HASH = 2;
export const EDGE_LABEL = 3; // offset in bytes
export const EDGE_LABEL_LENGTH = 4;

export const POLICY_WORDS = 6;
export const POLICY_NAME = 0;
export const POLICY_TIER = 1;
export const POLICY_ROOT = 2;
export const POLICY_FIRST_RULE = 3;
export const POLICY_AUDIT = 4; // 1: none of its rules has a word
export const POLICY_RESPONSES = 5; // string + 1, JSON of ResponseRuleMessages; 0: none

export const RULE_WORDS = 29;
export const RULE_NAME = 0;
export const RULE_POLICY = 1;
export const RULE_ACTION = 2;
export const RULE_RCODE = 3;
export const RULE_EDE_CODE = 4;
export const RULE_EDE_TEXT = 5; // string + 1; 0: that of the tenant (EXPLAIN_*)
export const RULE_TTL = 6;
export const RULE_TYPES = 7; // start in lists
export const RULE_TYPES_COUNT = 8; // 0: all types
export const RULE_AUDIT = 9; // 1: it is recorded, and has no word
export const RULE_TRANSPORTS = 10; // bits 1 << Transport; 0: all
export const RULE_SCHEDULE = 11; // schedule + 1; 0: always
export const RULE_CHANCE = 12; // of 10,000; 0: without chance
export const RULE_FORM = 13; // Deny.Form of verdict.proto
export const RULE_RECORDS = 14; // start in lists: pairs of a type and a string, its RDATA in base64
export const RULE_RECORD_COUNT = 15;
export const RULE_ROUTE = 16; // place in the run of TENANT_ROUTES; of a Mirror too
export const RULE_DELAY = 17; // milliseconds; 0: none
export const RULE_DECIDES = 18; // 1: no rule after it has a word
export const RULE_TTL_MIN = 19; // seconds; 0: none
export const RULE_TTL_MAX = 20;
export const RULE_METER = 21; // start in lists + 1, of METER_*; 0: none
export const RULE_LISTS = 22; // start in lists: numbers of NameLists, one of which has to have the name
export const RULE_LIST_COUNT = 23; // 0: none is asked for
export const RULE_REGEXES = 24; // start in lists: strings
export const RULE_REGEX_COUNT = 25; // 0: none is asked for
export const RULE_REWRITE_TO = 26; // string + 1, a name in base64; 0: none
export const RULE_REWRITE_LABELS = 27; // of the name that was asked for: so many trailing ones are replaced
export const RULE_DECIDER = 28; // number of a Decider + 1; 0: it decides itself

/** RuleAction of verdict.proto. */
export const ACTION_ACCEPT = 0;
export const ACTION_DENY = 1;
export const ACTION_PASS = 2;
export const ACTION_ROUTE = 3;
export const ACTION_FAULT = 4;
export const ACTION_ANSWER = 5;
export const ACTION_TTL = 6;
export const ACTION_REWRITE = 7;
export const ACTION_RATE_LIMIT = 8;
export const ACTION_STRIP = 9;
export const ACTION_MIRROR = 10;
/** What is done is said by a decision point: it is in no verdict. */
export const ACTION_DECIDE = 12;

/** What is counted before a rule has a word (Meter of verdict.proto): a run in lists. */
export const METER_WORDS = 5;
export const METER_KIND = 0;
export const METER_BY_CLIENT = 1; // 1: each client by itself
export const METER_COUNT = 2;
export const METER_PER = 3; // milliseconds
export const METER_BURST = 4;

/** Clients that have one of the principals, and one of the addresses. */
export const SELECTOR_WORDS = 9;
export const SELECTOR_BY_PRINCIPAL = 0; // 1: a principal is asked for
export const SELECTOR_PRINCIPALS = 1; // start in lists: patterns
export const SELECTOR_PRINCIPAL_COUNT = 2;
export const SELECTOR_BY_ADDRESS = 3; // 1: an address is asked for
export const SELECTOR_FIRST4 = 4; // interval index, as in groups
export const SELECTOR_COUNT4 = 5;
export const SELECTOR_FIRST6 = 6;
export const SELECTOR_COUNT6 = 7;
export const SELECTOR_PODS = 8; // number of a PodSelector + 1; 0: no pod is asked for

export const CONDITION_WORDS = 19;
export const CONDITION_SUBJECT = 0; // selector
export const CONDITION_EXCEPT = 9; // selector
export const CONDITION_HAS_EXCEPT = 18;

export const SCHEDULE_WORDS = 5;
export const SCHEDULE_DAYS = 0; // bits 1 << day, Sunday first
export const SCHEDULE_START = 1; // minute of the day
export const SCHEDULE_END = 2; // minute of the day; not after the start: of the next day
export const SCHEDULE_TRANSITIONS = 3; // index of the time zone's first transition
export const SCHEDULE_TRANSITION_COUNT = 4; // at least 1

export const TRANSITION_WORDS = 2;
export const TRANSITION_AT = 0; // seconds since 1970; of a zone's first, 0
export const TRANSITION_OFFSET = 1; // seconds ahead of UTC from then on, as a signed number

export const TENANT_WORDS = 14;
export const TENANT_NAME = 0;
export const TENANT_LOG_ALL = 1;
export const TENANT_POLICIES = 2; // start in lists: pairs of a policy and its condition + 1 (0: none), as they are asked
export const TENANT_POLICY_COUNT = 3;
export const TENANT_ZONE = 4; // zone + 1 of names that no forward zone covers; 0: none
export const TENANT_ZONE_ROOT = 5; // root of the forward zones + 1; 0: none
export const TENANT_CONDITIONS = 6; // start in lists: the conditions of its policies, each once
export const TENANT_CONDITION_COUNT = 7;
export const TENANT_ROUTES = 8; // start in lists: a zone for each upstream that rules route to
export const TENANT_EXPLAIN = 9; // EXPLAIN_*
export const TENANT_SAMPLE = 10; // with TENANT_LOG_ALL: of 10,000; 0: all
export const TENANT_CURRENT_ONLY = 11; // 1: no verdict counts while the service is away
export const TENANT_GUARDS = 12; // string + 1, JSON of response rules; 0: none
export const TENANT_TRACE_CONTEXT = 13; // 1: what its clients say of their traces counts

/** What denials say to a tenant's clients (EDE): how much of the rule's place, the INFO-CODE alone, or nothing. */
export const EXPLAIN_FULL = 0;
export const EXPLAIN_RULE = 1;
export const EXPLAIN_CODE = 2;
export const EXPLAIN_NONE = 3;

export const ZONE_WORDS = 3;
export const ZONE_UPSTREAM = 0; // Upstream.id
export const ZONE_VIEW_HIGH = 1;
export const ZONE_VIEW_LOW = 2;

export const INDEX_WORDS = 2;
export const INDEX_STRING = 0; // string + 1; 0: the slot is free
export const INDEX_VALUE = 1;

export const GROUP_WORDS = 9;
export const GROUP_USED = 0;
export const GROUP_PRINCIPAL = 1; // pattern + 1; 0: none asked for
export const GROUP_SERVER_NAME = 2; // string + 1
export const GROUP_PATH = 3; // string + 1
export const GROUP_ANYWHERE = 4; // IDENTITY word that holds for every address
export const GROUP_FIRST4 = 5; // interval index
export const GROUP_COUNT4 = 6;
export const GROUP_FIRST6 = 7;
export const GROUP_COUNT6 = 8;

/** An IDENTITY word: prefix length + 1 in the upper 8 bits (0: no CIDR asked for), tenant + 1 in the lower 24; 0: nobody. */
export const IDENTITY_TENANT_MASK = 0xffffff;
export const IDENTITY_LENGTH_SHIFT = 24;
export const MAX_TENANTS = IDENTITY_TENANT_MASK - 1;

/**
 * Subjects (protos/verdict.proto): nobody's clients are two classes, then there is one to a tenant. Clients of a tenant
 * whose policies speak of some of them only are more classes: a class is added in steps of `subjectStride`.
 */
export const SUBJECT_UNKNOWN = 1;
export const SUBJECT_UNIDENTIFIED = 2; // from the CIDRs of a tenant that requires a principal, without it
export const SUBJECT_FIRST_TENANT = 3;
export const NO_TENANT = -1;

/** A verdict has at most so many alternatives by chance. */
export const MAX_ALTERNATIVES = 16;
/** A scope names at most so many labels that it does not cover. */
export const MAX_EXCEPT = 64;
/** A verdict names at most so many rules in mode Audit. */
export const MAX_AUDITS = 8;
/** An answer is put off at most so many times. */
export const MAX_DELAYS = 8;
/** A scope names at most so many types. */
export const MAX_SCOPE_TYPES = 64;

/** The group of networks whose clients must show a principal: no real group has this key. */
export const CLAIMS_KEY = 0xffffffff;

export function viewSections(buffer: SharedArrayBuffer, directory: Directory): Sections {
  const sections: Partial<Record<SectionName, Uint32Array>> & { bytes?: Uint8Array } = {};
  for (const name of SECTIONS) {
    const [offset, length] = directory.words[name];
    sections[name] = new Uint32Array(buffer, offset * 4, length);
  }
  sections.bytes = new Uint8Array(buffer, directory.bytes[0], directory.bytes[1]);
  return Object.freeze(sections as Sections);
}
