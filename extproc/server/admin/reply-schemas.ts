/**
 * The bodies of replies, for the description of the API. Each is checked by the compiler against the type that is sent.
 */
import { z } from "zod";
import type { Explanation } from "../../explain/explanation.ts";
import { FATES } from "../../explain/rules.ts";
import { FINDING_KINDS, type Finding, type FindingKind } from "../../lint/finding.ts";
import type { Problem } from "../../resources/problem.ts";
import type { VersionContent } from "../../store/policy-store.ts";
import type { Version } from "../../store/version.ts";
import type { ObservedResource } from "../resource-status.ts";
import { type Caller, ROLES } from "./caller.ts";
import type { ApplyDescription, ServerDescription, StatusDescription, WorkerDescription } from "./status.ts";
import { TELEMETRY_SCHEMAS } from "./telemetry-schemas.ts";

const optional = z.exactOptional;
const date = z.iso.datetime();
const count = z.int().min(0);
const sequence = z.int().min(0).describe("The number of a version, and of the revision that workers acknowledge");

const problem = z.strictObject({
  source: z.string().describe("The file, as it was sent"),
  document: count.describe("Counted from 1; 0 where no document is to blame"),
  line: count.describe("Counted from 1; 0 where no line is to blame"),
  path: z.string().describe("As spec.rules[0].match.names[1]"),
  message: z.string().describe("What was expected, and what came"),
}) satisfies z.ZodType<Problem>;

const finding = z.strictObject({
  ...problem.shape,
  source: z.string().describe("As stored DnsPolicy/no-ads: lines are those of that resource"),
  kind: z.enum(Object.keys(FINDING_KINDS) as [FindingKind, ...FindingKind[]]),
  severity: z.enum(["warning", "note"]).describe("A note may well be meant"),
}) satisfies z.ZodType<Finding>;

const author = z.strictObject({
  name: z.string(),
  by: z.enum(["token", "certificate", "claim", "service"]).describe("How the name is known"),
});

const recordFields = {
  time: z.union([date, z.literal("")]).describe("Empty for a version of before there were records"),
  author,
  reason: z.string(),
  restores: optional(sequence.describe("Of a rollback: the version that it says again")),
  counts: optional(z.strictObject({ created: count, updated: count, deleted: count })),
};

const versionFields = { sequence, hash: z.string().regex(/^[0-9a-f]{16}$/), ...recordFields };
const version = z.strictObject(versionFields) satisfies z.ZodType<Version>;

const lineageFields = { generation: z.int().min(1), revision: sequence };
const resourceFields = { kind: z.string(), name: z.string(), text: z.string().describe("YAML"), ...lineageFields };

const condition = z.strictObject({
  type: z.enum(["Accepted", "ResolvedRefs", "Programmed"]),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string(),
  message: z.string(),
  observedGeneration: z.int(),
  lastTransitionTime: optional(date),
});

const listFields = {
  from: z.string().describe("A file, or inline"),
  names: count,
  exceptions: count,
  left: count.describe("Lines that are no name"),
  remarks: z.array(z.string()).describe("The first of those"),
  serial: optional(z.int().describe("Of a zone's SOA")),
  refreshed: optional(z.iso.datetime().describe("When it was last read")),
  error: z.string().describe("Why it is as it was; empty when all is well"),
};

const sourceFields = {
  from: z.string().describe("Where it is, in words"),
  names: count,
  serial: optional(z.int().describe("Of a zone's SOA")),
  refreshed: optional(z.iso.datetime().describe("When it last was known to be so")),
  error: z.string().describe("Why it is as it was; empty when all is well"),
};

const resource = z.strictObject({
  ...resourceFields,
  status: z.strictObject({
    observedGeneration: z.int(),
    conditions: z.array(condition),
    list: optional(z.strictObject(listFields)).describe("Of a NameList: what has been read of it"),
    source: optional(z.strictObject(sourceFields)).describe("Of a MeshSource: what has been read of it"),
  }),
}) satisfies z.ZodType<ObservedResource>;

const worker = z.strictObject({
  node: z.string(),
  process: z.string(),
  worker: z.string(),
  connected: z.boolean(),
  acknowledged: sequence,
  behind: z.boolean(),
  until: optional(date.describe("For one that is away: from then on it answers nothing by what it has")),
}) satisfies z.ZodType<WorkerDescription>;

const envoy = z.strictObject({ node: z.string(), accepted: count, rejected: z.string() });

const change = z.strictObject({
  kind: z.string(),
  name: z.string(),
  change: z.enum(["created", "updated", "unchanged", "deleted", "absent"]),
});

const difference = z.strictObject({
  kind: z.string(),
  name: z.string(),
  change: z.enum(["created", "updated", "deleted"]),
  diff: z.string().describe("As diff -u has it"),
});

const applied = z.strictObject({
  ...versionFields,
  before: sequence.describe("The version before"),
  changed: z.boolean().describe("False: the set said this already, and the version is the one before"),
  changes: z.array(change),
  differences: z.array(difference).describe("In a dry run only"),
  warnings: z.array(problem),
  workers: z.strictObject({ acknowledged: count, behind: z.array(worker) }),
  envoys: z.array(envoy),
}) satisfies z.ZodType<ApplyDescription>;

const status = z.strictObject({
  mode: z.enum(["store", "watch"]),
  directory: z.string(),
  sequence,
  hash: z.string(),
  time: optional(recordFields.time),
  author: optional(author),
  reason: optional(z.string()),
  restores: recordFields.restores,
  counts: recordFields.counts,
  warnings: z.array(problem),
  problems: z.array(problem).describe("Why newer content is not in force"),
  workers: z.strictObject({
    connected: count,
    behind: z.array(worker),
    nodes: z.array(
      z.strictObject({
        node: z.string(),
        process: z.string(),
        workers: count,
        connected: count,
        acknowledged: sequence.describe("The oldest that one of them has acknowledged last"),
      }),
    ),
  }),
  envoys: z.array(envoy),
  mesh: z.strictObject({
    objects: count,
    names: count,
    sources: z.array(z.strictObject({ name: z.string(), ...sourceFields })),
    virtualAddresses: z.strictObject({ size: count, used: count, quarantined: count, without: count }),
    health: z
      .strictObject({
        checked: count,
        ill: count,
        illEndpoints: z
          .array(
            z.strictObject({
              check: z.string().describe("As tcp://:8080"),
              address: z.string(),
              owners: z.array(z.string()).describe("Whose endpoint it is, as ServiceEntry/NAMESPACE/NAME"),
            }),
          )
          .describe("The first twenty"),
      })
      .describe("Of endpoints that this service looks after"),
  }),
  lists: z.array(z.strictObject({ name: z.string(), ...listFields })),
  revision: sequence.describe("What workers obey: of the version that has come in force last"),
  resources: z.array(z.strictObject({ kind: z.string(), count, programmed: count })),
  pending: z.array(
    z.strictObject({
      kind: z.string(),
      name: z.string(),
      generation: z.int(),
      reason: z.string(),
      message: z.string(),
    }),
  ),
}) satisfies z.ZodType<StatusDescription>;

const end = {
  outcome: z.enum(["forward", "deny", "fault", "answer", "rewrite"]),
  policy: z.string().describe("Empty where no rule has decided"),
  rule: z.string(),
  upstream: optional(z.strictObject({ name: z.string(), protocol: z.string() })),
  meshNamespaces: optional(
    z.array(z.string()).describe("Names of the mesh are answered before; * is of every namespace"),
  ),
  denial: optional(
    z.strictObject({
      rcode: z.string(),
      form: optional(z.enum(["Drop", "Truncate"]).describe("Where it is no answer of this rcode, or not over UDP")),
      ede: z.string(),
      text: z.string(),
      ttl: count,
    }),
  ),
  fault: optional(z.strictObject({ code: z.string().describe("An RCODE, Drop or Truncate") })),
  records: optional(z.array(z.string()).describe("The rule's own, for this question, as A 192.0.2.1")),
};

const explanation = z.strictObject({
  question: z.strictObject({ name: z.string(), type: z.string(), transport: z.string() }),
  client: z.strictObject({
    address: z.string(),
    tenant: z.string().describe("Empty for nobody that is known"),
    block: z.string().describe("Whoever comes from here with the same evidence is the same"),
  }),
  revision: sequence,
  ...end,
  mirror: optional(
    z
      .strictObject({ upstream: z.string(), percent: z.number() })
      .describe("Who is asked beside it, to compare; nobody waits for that"),
  ),
  rewritten: optional(
    z
      .strictObject({
        name: z.string().describe("Empty where it would be too long to be one"),
        end: optional(z.strictObject(end)),
        failure: optional(z.enum(["too long", "rewritten twice"])),
      })
      .describe("The name that is answered instead, and what becomes of it"),
  ),
  limits: optional(z.array(z.string()).describe("What all clients of the tenant may have together")),
  decisionPoints: optional(
    z
      .array(
        z.strictObject({
          policy: z.string(),
          rule: z.string(),
          point: z.string(),
          said: z.enum(["Accept", "Deny", "Pass"]),
          reason: z.string(),
          failed: z.boolean(),
        }),
      )
      .describe("What decision points have said, of the rules that leave it to them"),
  ),
  responseRules: optional(
    z
      .array(
        z.strictObject({
          policy: z.string(),
          rule: z.string(),
          tier: z.string(),
          action: z.enum(["Accept", "Deny", "Pass"]),
          audit: z.boolean(),
        }),
      )
      .describe("What an upstream's answer is judged by, in order"),
  ),
  scope: z
    .strictObject({
      names: z.string(),
      types: z.string(),
      transports: z.string(),
      milliseconds: count.describe("0 is until the policy changes"),
    })
    .describe("For what the verdict holds"),
  rules: z
    .array(
      z.strictObject({
        kind: z.string(),
        policy: z.string(),
        rule: z.string(),
        tier: z.string(),
        priority: count,
        action: z.string().describe("As Deny"),
        fate: z.enum(FATES),
        because: optional(z.enum(["names", "lists", "nameRegex", "types", "client, transport or time"])),
      }),
    )
    .describe("Every rule that speaks of the tenant, in the order in which they are asked"),
}) satisfies z.ZodType<Explanation>;

/** By the names that the description of the API has for them. */
export const REPLY_SCHEMAS = {
  Applied: applied,
  Caller: z.strictObject({
    name: z.string().describe("Empty where the way in says nothing of it"),
    by: z.enum(["token", "certificate", "claim"]),
    role: z.enum(ROLES),
    tenant: optional(z.string().describe("Of an editor: the one whose policies it may change")),
  }) satisfies z.ZodType<Caller>,
  Error: z.strictObject({
    error: z.string(),
    problems: z.array(problem),
    warnings: z.array(problem),
    inForce: optional(version.describe("With status 412")),
  }),
  Explanation: explanation,
  Findings: z.strictObject({ sequence, findings: z.array(finding) }),
  History: z.strictObject({ sequence, versions: z.array(version).describe("Newest first: the first is in force") }),
  Registered: z.strictObject({
    namespace: z.string(),
    name: z.string(),
    until: z.iso.datetime().describe("Without another registration until then, it is none"),
  }),
  Resource: resource,
  Resources: z.strictObject({ sequence, resources: z.array(resource) }),
  Status: status,
  Told: z.strictObject({ told: count.describe("Workers that were told") }),
  Unregistered: z.strictObject({ namespace: z.string(), name: z.string() }),
  UpstreamServers: z.strictObject({
    servers: z.array(
      z.strictObject({
        upstream: z.string(),
        cluster: z.string().describe("As Envoy and telemetry name it"),
        address: z.string(),
        port: z.int(),
        serverName: z.string().describe("Empty with TCP"),
        certificate: optional(
          z.strictObject({
            validUntil: optional(z.iso.datetime().describe("As of the last time that it was seen")),
            error: z.string().describe("Why it was not seen the last time; empty when it was"),
          }),
        ),
      }) satisfies z.ZodType<ServerDescription>,
    ),
  }),
  Version: z.strictObject({
    ...versionFields,
    resources: z.array(z.strictObject(resourceFields)),
  }) satisfies z.ZodType<Version & Pick<VersionContent, "resources">>,
  ...TELEMETRY_SCHEMAS,
  Workers: z.strictObject({ sequence, workers: z.array(worker) }),
} as const;

export type ReplySchema = keyof typeof REPLY_SCHEMAS;
