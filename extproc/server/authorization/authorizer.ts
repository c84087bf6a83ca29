/**
 * Whether a client may open a connection to an address: where its tenant was told that address as the answer of a name that
 * it may still ask for, or where a name of the mesh that it may know has it.
 */
import { NO_TENANT } from "../../compiled/layout.ts";
import { Transport } from "../../compiled/messages.ts";
import { readAddress } from "../../compiled/networks.ts";
import type { Snapshot } from "../../compiled/snapshot.ts";
import { identify, tenantName } from "../../decide/client.ts";
import { followRewrite } from "../../decide/rewritten.ts";
import { presentAddress } from "../../dns/address.ts";
import { presentName } from "../../dns/names.ts";
import type { MeshRoom } from "../../mesh/mesh-room.ts";
import type { Pods } from "../../mesh/pods.ts";
import type { GrantedName, Telemetry } from "../../telemetry/questions.ts";
import type { Clock } from "../clock.ts";
import type { DecideAsking } from "../decision-points/decision-points.ts";
import type { Connection } from "./connection.ts";

/** `unchecked`: no policy asks for it. */
export type CheckOutcome = "allowed" | "refused" | "would_refuse" | "unchecked";

export interface Judgement {
  readonly outcome: CheckOutcome;
  /** metadata.name; empty for a client that is no tenant's. */
  readonly tenant: string;
  /** By which it is allowed, or that is denied by now. */
  readonly name?: string;
  /** Why it is, or would be, refused. */
  readonly reason?: string;
  /** What denies the name. */
  readonly policy?: string;
  readonly rule?: string;
}

export interface AuthorizerDependencies {
  /** The policy in force; undefined while there is none. */
  readonly policy: () => Snapshot | undefined;
  readonly decide: DecideAsking;
  readonly mesh: Pick<MeshRoom, "ask">;
  readonly pods: Pick<Pods, "at">;
  readonly telemetry: Pick<Telemetry, "ask">;
  readonly clock: Clock;
  readonly onJudged: (connection: Connection, judgement: Judgement, seconds: number) => void;
}

/**
 * A client may be sooner with its connection than the worker with the event of the answer. A worker sends it at once, or
 * with the next acknowledgement; so nobody waits for long but who was told nothing.
 */
const LOOKS_MS = [2, 8, 30, 60, 100];
/** Connections of one tenant that wait so: one that tries address after address is refused sooner, and no other tenant. */
const MAX_WAITING = 256;

const TYPE_A = 1;

type Found = Pick<Judgement, "name" | "policy" | "rule"> & { readonly denied: boolean };

export class Authorizer {
  readonly #dependencies: AuthorizerDependencies;
  /** By tenant. */
  readonly #waiting = new Map<string, number>();

  constructor(dependencies: AuthorizerDependencies) {
    this.#dependencies = dependencies;
  }

  async judge(connection: Connection): Promise<Judgement> {
    const { clock, onJudged } = this.#dependencies;
    const start = clock.elapsed();
    const judgement = await this.#judge(connection);
    onJudged(connection, judgement, (clock.elapsed() - start) / 1000);
    return judgement;
  }

  async #judge(connection: Connection): Promise<Judgement> {
    const snapshot = this.#dependencies.policy();
    if (snapshot === undefined) return { outcome: "refused", tenant: "", reason: "there is no policy yet" };
    const { mode } = snapshot.tables.connections;
    if (mode === "Off") return { outcome: "unchecked", tenant: "" };
    const { allowed, ...judgement } = await this.#look(snapshot, connection);
    return { outcome: allowed ? "allowed" : mode === "Audit" ? "would_refuse" : "refused", ...judgement };
  }

  async #look(snapshot: Snapshot, connection: Connection): Promise<Omit<Judgement, "outcome"> & { allowed: boolean }> {
    const tenant = this.#tenantOf(snapshot, connection);
    if (tenant === undefined) return { allowed: false, tenant: "", reason: "the client is no tenant's" };
    const find = () => this.#find(snapshot, tenant, connection);
    const found = (await find()) ?? (await this.#waitFor(tenant.name, find));
    if (found === undefined) return { allowed: false, tenant: tenant.name, reason: "no answer had this address" };
    const { denied, ...names } = found;
    return { allowed: !denied, tenant: tenant.name, ...names, ...(denied ? { reason: "the name is denied" } : {}) };
  }

  /** Looks again and again, as far as this tenant may wait. */
  async #waitFor(tenant: string, find: () => Promise<Found | undefined>): Promise<Found | undefined> {
    const { clock } = this.#dependencies;
    const waiting = this.#waiting.get(tenant) ?? 0;
    if (waiting >= MAX_WAITING) return undefined;
    this.#waiting.set(tenant, waiting + 1);
    try {
      for (const wait of LOOKS_MS) {
        await new Promise<void>((resolve) => clock.after(wait, resolve));
        const found = await find();
        if (found !== undefined) return found;
      }
      return undefined;
    } finally {
      const left = (this.#waiting.get(tenant) ?? 1) - 1;
      if (left === 0) this.#waiting.delete(tenant);
      else this.#waiting.set(tenant, left);
    }
  }

  #tenantOf(snapshot: Snapshot, connection: Connection) {
    const address = readAddress(connection.client);
    if (address === undefined) return undefined;
    const { client, principal, tenant: fixed } = connection;
    const shown = { principal, tenant: fixed, pod: this.#dependencies.pods.at(client) };
    const { tenant } = identify(snapshot, shown, address);
    if (tenant === NO_TENANT) return undefined;
    return { name: tenantName(snapshot, tenant), view: snapshot.tables.mesh.viewOf[tenant] ?? "" };
  }

  /** A name that allows it, or else one that is denied; undefined where no name has the address. */
  async #find(
    snapshot: Snapshot,
    { name: tenant, view }: { readonly name: string; readonly view: string },
    connection: Connection,
  ): Promise<Found | undefined> {
    const { mesh, telemetry } = this.#dependencies;
    const { address, host } = connection;
    // A thread that is starting anew knows nothing.
    const granted = await telemetry.ask("granted", { tenant, address }).catch((): GrantedName[] => []);
    const found = await this.#best(snapshot, connection, granted);
    if (found?.denied === false) return found;
    const place = { view, address: presentAddress(address), host };
    const meshName = await mesh.ask("nameAt", place).catch(() => undefined);
    const ofMesh = meshName === undefined ? [] : [{ qname: meshName, qtype: TYPE_A, transport: Transport.UDP }];
    const known = await this.#best(snapshot, connection, ofMesh);
    return known?.denied === false ? known : (found ?? known);
  }

  /** The first that is not denied, or else the first. */
  async #best(snapshot: Snapshot, connection: Connection, names: readonly GrantedName[]): Promise<Found | undefined> {
    let denied: Found | undefined;
    for (const name of names) {
      const found = await this.#ask(snapshot, connection, name);
      if (!found.denied) return found;
      denied ??= found;
    }
    return denied;
  }

  /** What the policy in force says of a name that was answered under it, or under one before. */
  async #ask(snapshot: Snapshot, connection: Connection, { qname, qtype, transport }: GrantedName): Promise<Found> {
    const { decide, clock } = this.#dependencies;
    const { client, principal, tenant } = connection;
    const who = { address: client, principal, tenant, listener: "connection" };
    const request = { ...who, qname, qtype, transport: transport as Transport, time: clock.now() };
    const verdict = await decide(snapshot, request);
    const rewritten = followRewrite(snapshot, request, verdict);
    const outcome = rewritten !== undefined && "outcome" in rewritten ? rewritten.outcome : verdict;
    const name = presentName(qname);
    if (!("deny" in outcome)) return { denied: false, name };
    return { denied: true, name, policy: outcome.policy, rule: outcome.rule };
  }
}
