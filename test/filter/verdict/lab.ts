/** Verdicts as the service encodes them, and the filter's rooms that keep them. */
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { Room, wireName } from "../wire/room.ts";

const type = new protobuf.Root()
  .loadSync(fileURLToPath(new URL("../../../protos/verdict.proto", import.meta.url)), { keepCase: true })
  .lookupType("dns.mesh.v1.Verdict");

export enum Extent {
  Exact,
  Below,
  AtOrBelow,
}

export interface Scope {
  labels?: number;
  extent?: Extent;
  except?: number[];
  types?: number[];
  types_excluded?: boolean;
  transports?: number;
  lifetime_ms?: number;
}

export const encode = (message: object): Buffer => Buffer.from(type.encode(type.fromObject(message)).finish());

const changeType = new protobuf.Root()
  .loadSync(fileURLToPath(new URL("../../../protos/sync.proto", import.meta.url)), { keepCase: true })
  .lookupType("dns.mesh.v1.ListsChanged");

export const encodeChange = (names: readonly Uint8Array[]): Buffer =>
  Buffer.from(changeType.encode(changeType.fromObject({ since: 1, names })).finish());

/** Numbers of a Verdict, in the order of the entry's `field`. */
export const FIELDS = ["revision", "prefix", "labels", "extent", "exceptCount", "typeCount", "typesExcluded"];
FIELDS.push("transports", "lifetime", "action", "subject", "logAll", "upstream", "view", "rcode", "edeCode", "ttl");
FIELDS.push("soaLabels", "tenant", "references", "sample", "currentOnly");

/** FNV-1a, 32 bits. */
export function hashLabel(label: string): number {
  let hash = 0x811c9dc5;
  for (const octet of Buffer.from(label)) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  return hash;
}

export class VerdictLab {
  readonly room: Room;

  private constructor(room: Room) {
    this.room = room;
  }

  static async open(): Promise<VerdictLab> {
    return new VerdictLab(await Room.open("verdict/entry/verdict.ts"));
  }

  read(bytes: Uint8Array): boolean {
    return this.room.call("read", this.room.put(bytes)) === 1;
  }

  get fields(): Record<string, bigint> {
    return Object.fromEntries(FIELDS.map((name, index) => [name, this.room.big("field", index)]));
  }

  text(which: 0 | 1 | 2): string {
    return this.room.output(this.room.call("text", which)).toString();
  }

  name(text: string): void {
    this.room.call("setKey", this.room.put(wireName(text)));
  }

  /** Keeps a verdict known by its upstream's number, for the question that it was the answer to; whether it does. */
  put(asked: Asked, scope: Scope, upstream: number): boolean {
    const { name, type = 1, transport = 0, subject = 1, now = 0 } = asked;
    const read = this.read(encode({ revision: 1, client: { subject }, scope, forward: { upstream } }));
    if (!read) throw new Error("expected a verdict");
    this.name(name);
    return this.room.call("put", type, transport, BigInt(now)) === 1;
  }

  /** The upstream's number, 0 where no verdict is known. */
  find({ name, type = 1, transport = 0, subject = 1, now = 0 }: Asked): number {
    this.name(name);
    return this.room.call("find", subject, type, transport, BigInt(now));
  }
}

/** A question of a subject; `now` in microseconds. */
export interface Asked {
  name: string;
  type?: number;
  transport?: number;
  subject?: number;
  now?: number;
}
