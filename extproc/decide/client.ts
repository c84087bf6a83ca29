/**
 * Who asks: the strongest evidence wins.
 *
 * In this order, and the first that finds a tenant ends it:
 *  1. a fixed identity (a sidecar's): nothing else is looked at;
 *  2. the principal, by the most specific pattern that it matches, and under that by the longest CIDR;
 *  3. the CIDRs of tenants that require a principal: whoever comes from there without one is nobody;
 *  4. the pod that has the address, by its namespace and labels;
 *  5. the address, by the longest CIDR.
 * Server names and paths are the client's own claim. They narrow an entry and never make it stronger: two tenants
 * that differ in nothing else are refused at apply.
 *
 * Missing evidence so never gives more than evidence would have given: who hides the certificate of a tenant that
 * requires it is no other tenant.
 */
import {
  CLAIMS_KEY,
  IDENTITY_LENGTH_SHIFT,
  IDENTITY_TENANT_MASK,
  NO_TENANT,
  SUBJECT_FIRST_TENANT,
  SUBJECT_UNIDENTIFIED,
  SUBJECT_UNKNOWN,
  TENANT_NAME,
  TENANT_WORDS,
} from "../compiled/layout.ts";
import { type Address, bitsOf, findInGroup } from "../compiled/networks.ts";
import { asksForPods, selectsPod, type TenantPods } from "../compiled/pods.ts";
import { matchPrincipal } from "../compiled/principals.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import { findString } from "../compiled/string-index.ts";
import type { DecisionRequest } from "./request.ts";

export interface Identity {
  readonly subject: number;
  /** NO_TENANT for clients that are no tenant's. */
  readonly tenant: number;
  /** Length of the largest block around the client with this identity, for the same evidence. */
  readonly prefix: number;
}

/** What a client is told by, besides its address. */
export type ClientEvidence = Pick<DecisionRequest, "principal" | "serverName" | "path" | "pod" | "tenant">;

export function identify(snapshot: Snapshot, request: ClientEvidence, address: Address): Identity {
  const { sections, tables } = snapshot;
  if (request.tenant !== undefined) {
    const tenant = findString(sections, "tenantIndex", request.tenant);
    return tenant === undefined ? nobody(SUBJECT_UNKNOWN, 0) : somebody(tenant, 0);
  }
  const evidence = { address, ...readClaims(snapshot, request) };
  let prefix = 0;
  if (request.principal !== undefined) {
    for (const pattern of matchPrincipal(sections, tables.principalRoot, request.principal)) {
      const found = findTenant(snapshot, pattern + 1, evidence);
      prefix = Math.max(prefix, found.prefix);
      if (found.tenant !== NO_TENANT) return somebody(found.tenant, prefix);
    }
  }
  const claimed = findInGroup(sections, address, CLAIMS_KEY, 0, 0);
  prefix = Math.max(prefix, claimed.prefix);
  if (claimed.value !== 0) return nobody(SUBJECT_UNIDENTIFIED, prefix);
  if (asksForPods(tables.pods)) prefix = bitsOf(address);
  const owner = findOwner(snapshot, request);
  if (owner !== undefined)
    return owner.requiresPrincipal ? nobody(SUBJECT_UNIDENTIFIED, prefix) : somebody(owner.tenant, prefix);
  const found = findTenant(snapshot, 0, evidence);
  prefix = Math.max(prefix, found.prefix);
  return found.tenant === NO_TENANT ? nobody(SUBJECT_UNKNOWN, prefix) : somebody(found.tenant, prefix);
}

/** metadata.name of a tenant by its number. */
export function tenantName({ sections, strings }: Snapshot, tenant: number): string {
  return strings.get(sections.tenants[tenant * TENANT_WORDS + TENANT_NAME] ?? 0);
}

/** Whose the client's pod is: at most one tenant's, as apply refuses two. */
function findOwner({ tables }: Snapshot, { pod, serverName, path }: ClientEvidence): TenantPods | undefined {
  if (pod === undefined) return undefined;
  const name = serverName === undefined ? "" : canonicalServerName(serverName);
  return tables.pods.tenants.find(
    (one) =>
      (one.serverNames?.includes(name) ?? true) && (one.paths?.includes(path ?? "") ?? true) && selectsPod(one, pod),
  );
}

/** Without regard to case (RFC 6066 section 3). */
function canonicalServerName(text: string): string {
  return text.toLowerCase().replace(/\.$/, "");
}

function somebody(tenant: number, prefix: number): Identity {
  return { subject: SUBJECT_FIRST_TENANT + tenant, tenant, prefix };
}

function nobody(subject: number, prefix: number): Identity {
  return { subject, tenant: NO_TENANT, prefix };
}

interface Evidence {
  readonly address: Address;
  /** Keys of groups; 0 for what no tenant asks for. */
  readonly serverName: number;
  readonly path: number;
}

/** Paths to the letter. */
function readClaims({ sections }: Snapshot, request: ClientEvidence): Omit<Evidence, "address"> {
  const { serverName, path } = request;
  const name = serverName === undefined ? undefined : canonicalServerName(serverName);
  return {
    serverName: name === undefined ? 0 : (findString(sections, "serverNameIndex", name) ?? -1) + 1,
    path: path === undefined ? 0 : (findString(sections, "pathIndex", path) ?? -1) + 1,
  };
}

/** The longest CIDR among the groups that this evidence opens, for one principal pattern or for none. */
function findTenant(
  { sections }: Snapshot,
  principal: number,
  { address, serverName, path }: Evidence,
): { readonly tenant: number; readonly prefix: number } {
  let best = 0;
  let prefix = 0;
  const look = (serverNameKey: number, pathKey: number) => {
    const found = findInGroup(sections, address, principal, serverNameKey, pathKey);
    prefix = Math.max(prefix, found.prefix);
    // Equal lengths are one tenant's: apply refuses two.
    if (found.value >>> IDENTITY_LENGTH_SHIFT > best >>> IDENTITY_LENGTH_SHIFT || best === 0) best = found.value;
  };
  look(0, 0);
  if (serverName !== 0) look(serverName, 0);
  if (path !== 0) look(0, path);
  if (serverName !== 0 && path !== 0) look(serverName, path);
  return { tenant: best === 0 ? NO_TENANT : (best & IDENTITY_TENANT_MASK) - 1, prefix };
}
