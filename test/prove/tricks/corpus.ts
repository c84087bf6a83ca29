/**
 * What has been tried against filters of names, one trick a line: names that look like others, types that lead around a
 * rule, answers that lead elsewhere, and addresses that are not what they look like.
 */

/** What must come of a question. */
export type Expected =
  /** The rule on its name: NXDOMAIN, and it never leaves. */
  | "denied name"
  /** A rule on some of its types: NODATA, and it never leaves. */
  | "denied type"
  /** A rule on a name that the answer points to: NXDOMAIN. */
  | "denied target"
  /** The guard, or a response rule: NODATA with a reason. */
  | "denied answer"
  | "refused"
  /** Not a type that can be asked for. */
  | "no type"
  /** The answer to ANY, which asks nobody (RFC 8482). */
  | "minimal"
  | "failed"
  /** It is another name, or an innocent one: so many records, which the upstream said. */
  | number;

export interface Trick {
  readonly trick: string;
  /** Labels as octets, leftmost first; a text is one in latin1. */
  readonly name: readonly string[];
  readonly type?: number;
  readonly class?: number;
  readonly expect: Expected;
  /** Records of the upstream's answer, `owner TTL type data` with `@` for the question's name; one A by default. */
  readonly says?: readonly string[];
  /** What it says besides, in the additional section. */
  readonly adds?: readonly string[];
}

/** Types are numbers as IANA has them. */
const [A, NS, CNAME, MX, TXT, AAAA, SRV, DNAME, SVCB, HTTPS] = [1, 2, 5, 15, 16, 28, 33, 39, 64, 65];

export const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: {name: default}
spec: {guards: {rebinding: {mode: Deny, except: ["*.corp.example"]}}}
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: tricks}
spec:
  tier: Admin
  priority: 1
  subject: {tenants: [frontend]}
  rules:
  - {name: below, match: {names: ["*.evil.com", "*.xn--bcher-kva.example", "*.\u4f8b\u3048.example"]}, action: Deny, response: {code: NXDOMAIN}}
  - {name: exact, match: {names: [exact.example, 'dot\\.ted.example', 'nul\\000.example', '\\*.star.example']}, action: Deny, response: {code: NXDOMAIN}}
  - {name: typed, match: {names: ["*.typed.example"], types: [AAAA, HTTPS]}, action: Deny}
  responseRules:
  - {name: listed, match: {addresses: [203.0.113.0/24]}, action: Deny}
  - {name: no-text, match: {names: ["*.mute.example"], types: [TXT]}, action: Deny}`;

const names = (trick: string, expect: Expected, ...list: string[][]): Trick[] =>
  list.map((name) => ({ trick, name, expect }));

const nameForms: Trick[] = [
  ...names("case", "denied name", ["WWW", "EVIL", "COM"], ["wWw", "eViL", "cOm"], ["EXACT", "Example"]),
  ...names(
    "depth",
    "denied name",
    ["a", "b", "c", "d", "e", "evil", "com"],
    Array<string>(100).fill("x").concat("evil", "com"),
  ),
  ...names("the apex is no name below it", 1, ["evil", "com"]),
  ...names("the end of a label is no label", 1, ["www", "notevil", "com"], ["www-evil", "com"], ["www", "evil-com"]),
  ...names(
    "a denied name in the middle",
    1,
    ["www", "evil", "com", "example"],
    ["www", "evil", "com", "web", "svc", "cluster", "local"],
  ),
  ...names("below an exact name", 1, ["www", "exact", "example"]),
  ...names("a dot in a label below", "denied name", ["www.other", "evil", "com"], ["a.b.c", "evil", "com"]),
  ...names(
    "a dot in a label makes no labels",
    1,
    ["www.evil.com"],
    ["www.evil", "com"],
    ["www", "evil.com"],
    ["exact.example"],
  ),
  ...names("a dot in a label that is meant", "denied name", ["dot.ted", "example"], ["DOT.TED", "example"]),
  ...names("two labels are no label with a dot", 1, ["dot", "ted", "example"]),
  ...names(
    "a zero octet below",
    "denied name",
    ["\0", "evil", "com"],
    ["www\0", "evil", "com"],
    ["\0\0\0", "evil", "com"],
  ),
  ...names(
    "a zero octet makes another name",
    1,
    ["www", "evil\0", "com"],
    ["www", "evil", "com\0"],
    ["exact\0", "example"],
  ),
  ...names("a zero octet that is meant", "denied name", ["nul\0", "example"]),
  ...names("no zero octet where one is meant", 1, ["nul", "example"], ["nul\\000", "example"]),
  ...names("a backslash", "denied name", ["\\www", "evil", "com"], ["\\", "evil", "com"]),
  ...names("an escape in text is octets on the wire", 1, ["www", "\\101vil", "com"], ["www", "evil\\", "com"]),
  ...names(
    "white space and control characters",
    "denied name",
    [" ", "evil", "com"],
    ["\n", "evil", "com"],
    ["\x7f", "evil", "com"],
  ),
  ...names("white space makes another name", 1, ["www", "evil ", "com"], ["www", " evil", "com"]),
  ...names("an asterisk is a label like any other", "denied name", ["*", "evil", "com"], ["*", "star", "example"]),
  ...names("and stands for none", 1, ["x", "star", "example"]),
  ...names("octets above 127", "denied name", ["\xff\xfe", "evil", "com"], ["\xe2\x80\x8b", "evil", "com"]),
  ...names("the A-label", "denied name", ["www", "xn--bcher-kva", "example"], ["www", "XN--BCHER-KVA", "example"]),
  ...names(
    "the U-label in UTF-8, as other clients send it",
    "denied name",
    ["www", "b\xc3\xbccher", "example"],
    ["www", "B\xc3\x9cCHER", "EXAMPLE"],
    ["www", "bu\xcc\x88cher", "example"],
    ["\xc3\xa9", "b\xc3\xbccher", "example"],
    ["x".repeat(63), "y".repeat(63), "z".repeat(63), "w".repeat(39), "b\xc3\xbccher", "example"],
  ),
  ...names(
    "octets that some resolvers take for ASCII",
    "denied name",
    ["www", "\xef\xbd\x85\xef\xbd\x96\xef\xbd\x89\xef\xbd\x8c", "com"],
    ["www", "e\xe2\x80\x8bvil", "com"],
    ["\xef\xbd\x85xact", "example"],
  ),
  ...names("the U-label that a policy has", "denied name", ["www", "xn--r8jz45g", "example"]),
  ...names(
    "a U-label beside a denied one, and one in another encoding",
    1,
    ["www", "k\xc3\xbcche", "example"],
    ["b\xc3\xbccher", "example"],
    ["www", "b\xfccher", "example"],
  ),
  ...names("letters that only look alike", 1, ["www", "\xd0\xb5vil", "com"], ["www", "evi1", "com"]),
  ...names("case is of ASCII alone", 1, ["www", "evil", "\xc3\x87om"]),
  ...names("a label of 63 octets", "denied name", ["x".repeat(63), "evil", "com"]),
  ...names("a name of 255 octets", "denied name", [
    "x".repeat(63),
    "x".repeat(63),
    "x".repeat(63),
    "x".repeat(51),
    "evil",
    "com",
  ]),
  ...names("the root", 1, []),
];

const types: Trick[] = [
  ...[A, NS, CNAME, MX, TXT, AAAA, SRV, DNAME, SVCB, HTTPS, 10, 99, 257, 65280, 65535].map(
    (type): Trick => ({
      trick: "every type of a denied name",
      name: ["www", "evil", "com"],
      type,
      expect: "denied name",
    }),
  ),
  { trick: "ANY of a denied name", name: ["any", "evil", "com"], type: 255, expect: "denied name" },
  { trick: "ANY tells nothing", name: ["www", "typed", "example"], type: 255, expect: "minimal" },
  { trick: "a denied type", name: ["www", "typed", "example"], type: AAAA, expect: "denied type" },
  { trick: "a denied type by its number", name: ["WWW", "TYPED", "example"], type: HTTPS, expect: "denied type" },
  { trick: "another type of it", name: ["www", "typed", "example"], type: A, expect: 1 },
  { trick: "SVCB is not HTTPS", name: ["www", "typed", "example"], type: SVCB, expect: 1, says: ["@ 60 SVCB 1 ."] },
  ...[252, 251].map((type): Trick => ({ trick: "a zone transfer", name: ["evil", "com"], type, expect: "refused" })),
  ...[0, 41, 249, 250, 253, 254].map(
    (type): Trick => ({ trick: "a type of queries alone", name: ["www", "evil", "com"], type, expect: "no type" }),
  ),
  { trick: "class CH", name: ["www", "evil", "com"], class: 3, expect: "refused" },
  { trick: "class ANY", name: ["www", "evil", "com"], class: 255, expect: "refused" },
  {
    trick: "a type of the answer",
    name: ["t", "mute", "example"],
    type: TXT,
    expect: "denied answer",
    says: ['@ 60 TXT "x"'],
  },
];

const target = (trick: string, type: number | undefined, expect: Expected, ...says: string[]): Trick => ({
  trick,
  name: [trick.replace(/\W/g, "-"), "target", "example"],
  ...(type === undefined ? {} : { type }),
  expect,
  says,
});

const HOPS = [1, 2, 3, 4].map((hop) => `h${hop}.hop.example 60 CNAME h${hop + 1}.hop.example`);

/** An alias by DNAME of everything below its owner (RFC 6672): its data is a name. */
const dname = (name: string) => {
  const wire = Buffer.concat([
    ...name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.of(0),
  ]);
  return `TYPE39 \\# ${wire.length} ${wire.toString("hex")}`;
};

const targets: Trick[] = [
  target("a CNAME", A, "denied target", "@ 60 CNAME x.evil.com", "x.evil.com 60 A 192.0.2.1"),
  target("a CNAME in capitals", A, "denied target", "@ 60 CNAME X.EVIL.COM", "X.EVIL.COM 60 A 192.0.2.1"),
  target("a CNAME asked for itself", CNAME, "denied target", "@ 60 CNAME x.evil.com"),
  target("a CNAME without an end", A, "denied target", "@ 60 CNAME x.evil.com"),
  target("a CNAME with a TTL of 0", A, "denied target", "@ 0 CNAME x.evil.com", "x.evil.com 0 A 192.0.2.1"),
  target("a CNAME to an exact name", A, "denied target", "@ 60 CNAME exact.example", "exact.example 60 A 192.0.2.1"),
  target("a CNAME to the apex", A, 2, "@ 60 CNAME evil.com", "evil.com 60 A 192.0.2.1"),
  target("a CNAME to a dotted label", A, 2, "@ 60 CNAME x\\.evil.com", "x\\.evil.com 60 A 192.0.2.1"),
  target(
    "five hops",
    A,
    "denied target",
    "@ 60 CNAME h1.hop.example",
    ...HOPS,
    "h5.hop.example 60 CNAME x.evil.com",
    "x.evil.com 60 A 192.0.2.1",
  ),
  target(
    "through a denied name",
    A,
    "denied target",
    "@ 60 CNAME x.evil.com",
    "x.evil.com 60 CNAME good.example",
    "good.example 60 A 192.0.2.1",
  ),
  target(
    "a chain in disorder",
    A,
    "denied target",
    "x.evil.com 60 A 192.0.2.1",
    "h1.hop.example 60 CNAME x.evil.com",
    "@ 60 CNAME h1.hop.example",
  ),
  target("a loop", A, "failed", "@ 60 CNAME h1.hop.example", "h1.hop.example 60 CNAME @"),
  target(
    "a DNAME",
    A,
    "denied target",
    `target.example 60 ${dname("evil.com")}`,
    "@ 60 CNAME a-DNAME.evil.com",
    "a-DNAME.evil.com 60 A 192.0.2.1",
  ),
  target("an MX", MX, "denied target", "@ 60 MX 10 mail.evil.com"),
  target(
    "one MX of several",
    MX,
    "denied target",
    "@ 60 MX 10 good.example",
    "@ 60 MX 20 better.example",
    "@ 60 MX 30 mail.evil.com",
  ),
  target("an SRV", SRV, "denied target", "@ 60 SRV 1 1 443 x.evil.com"),
  target("an SVCB", SVCB, "denied target", "@ 60 SVCB 1 x.evil.com alpn=h2"),
  target("an HTTPS alias", HTTPS, "denied target", "@ 60 HTTPS 0 x.evil.com"),
  target("an HTTPS service", HTTPS, "denied target", "@ 60 HTTPS 1 . alpn=h2", "@ 60 HTTPS 2 x.evil.com alpn=h2"),
  target("an HTTPS of its own", HTTPS, 1, "@ 60 HTTPS 1 . alpn=h2"),
  target("somebody else's record in the answer", A, 1, "@ 60 A 192.0.2.1", "x.evil.com 60 A 192.0.2.1"),
  target("somebody else's record first", A, 1, "x.evil.com 60 A 192.0.2.66", "@ 60 A 192.0.2.1"),
  { ...target("somebody else's record beside it", A, 1, "@ 60 A 192.0.2.1"), adds: ["x.evil.com 60 A 192.0.2.1"] },
];

const address = (type: "A" | "AAAA", expect: Expected, ...addresses: string[]): Trick[] =>
  addresses.map((text) => ({
    trick: `address ${text}`,
    name: [text.replace(/[.:]/g, "-"), "address", "example"],
    type: type === "A" ? A : AAAA,
    expect,
    says: [`@ 60 ${type} ${text}`],
  }));

const DENIED: Expected = "denied answer";

const addresses: Trick[] = [
  ...address(
    "A",
    DENIED,
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "127.0.0.1",
    "127.1.2.3",
  ),
  ...address("A", DENIED, "0.0.0.0", "0.1.2.3", "169.254.169.254", "100.64.0.1", "100.127.255.255", "203.0.113.7"),
  ...address(
    "A",
    1,
    "9.255.255.255",
    "11.0.0.0",
    "172.15.0.1",
    "172.32.0.0",
    "192.167.1.1",
    "100.63.0.1",
    "100.128.0.0",
    "8.8.8.8",
  ),
  ...address(
    "AAAA",
    DENIED,
    "::",
    "::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::808:808",
  ),
  ...address(
    "AAAA",
    DENIED,
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::10.0.0.1",
    "::7f00:1",
    "::ffff:203.0.113.7",
  ),
  ...address(
    "AAAA",
    DENIED,
    "64:ff9b::10.0.0.1",
    "64:ff9b::192.168.0.1",
    "64:ff9b::cb00:7107",
    "2002:a00:1::1",
    "2002:7f00:1::",
    "2002:cb00:7107::1",
  ),
  ...address(
    "AAAA",
    1,
    "::ffff:192.0.2.1",
    "64:ff9b::192.0.2.1",
    "2002:c000:201::a00:1",
    "2001:db8::a00:1",
    "fbff::1",
    "fe00::1",
    "2001:4860::8888",
  ),
  {
    trick: "one address of several",
    name: ["several", "address", "example"],
    expect: DENIED,
    says: ["@ 60 A 192.0.2.1", "@ 60 A 192.0.2.2", "@ 60 A 10.0.0.1"],
  },
  { trick: "with a TTL of 0", name: ["brief", "address", "example"], expect: DENIED, says: ["@ 0 A 10.0.0.1"] },
  { trick: "in capitals", name: ["CAPITALS", "ADDRESS", "EXAMPLE"], expect: DENIED, says: ["@ 60 A 10.0.0.1"] },
  {
    trick: "behind a CNAME",
    name: ["behind", "address", "example"],
    expect: DENIED,
    says: ["@ 60 CNAME h1.hop.example", "h1.hop.example 60 A 10.0.0.1"],
  },
  { trick: "where addresses are private", name: ["www", "corp", "example"], expect: 1, says: ["@ 60 A 10.0.0.1"] },
  {
    trick: "where that name is only an alias's",
    name: ["alias", "address", "example"],
    expect: DENIED,
    says: ["@ 60 CNAME www.corp.example", "www.corp.example 60 A 10.0.0.1"],
  },
  {
    trick: "where another is listed",
    name: ["listed", "corp", "example"],
    expect: DENIED,
    says: ["@ 60 A 203.0.113.9"],
  },
  {
    trick: "of a type that was not asked for",
    name: ["other", "address", "example"],
    expect: 1,
    says: ["@ 60 A 192.0.2.1", "@ 60 AAAA fd00::1"],
  },
  {
    trick: "an IPv4 hint",
    name: ["hint4", "address", "example"],
    type: HTTPS,
    expect: DENIED,
    says: ["@ 60 HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1,10.0.0.1"],
  },
  {
    trick: "an IPv6 hint",
    name: ["hint6", "address", "example"],
    type: HTTPS,
    expect: DENIED,
    says: ["@ 60 HTTPS 1 . ipv6hint=2001:db8::1,fd00::1"],
  },
  {
    trick: "a mapped hint",
    name: ["hint46", "address", "example"],
    type: SVCB,
    expect: DENIED,
    says: ["@ 60 SVCB 1 . alpn=h2 ipv6hint=::ffff:127.0.0.1"],
  },
  {
    trick: "a hint of the second service",
    name: ["hint2", "address", "example"],
    type: HTTPS,
    expect: DENIED,
    says: ["@ 60 HTTPS 1 . alpn=h2", "@ 60 HTTPS 2 good.example ipv4hint=10.0.0.1"],
  },
  {
    trick: "an innocent hint",
    name: ["hint", "address", "example"],
    type: HTTPS,
    expect: 1,
    says: ["@ 60 HTTPS 1 . ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"],
  },
];

export const CORPUS: readonly Trick[] = [...nameForms, ...types, ...targets, ...addresses];
