/** A room of the filter under test: an entry's functions, octets that go in and come out, and names in wire format. */
import { compile, type Instance, instantiate } from "../build.ts";

export class Room {
  readonly #instance: Instance;

  private constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** Compiles the entry, a path below `test/filter/`; it exports `inputAt` and `outputAt`, room for messages. */
  static async open(entry: string): Promise<Room> {
    return new Room(await instantiate(await compile(`test/filter/${entry}`)));
  }

  call(name: string, ...values: (number | bigint)[]): number {
    return Number(this.#run(name, values));
  }

  /** A result of 64 bits, without a sign. */
  big(name: string, ...values: (number | bigint)[]): bigint {
    return BigInt.asUintN(64, BigInt(this.#run(name, values)));
  }

  #run(name: string, values: (number | bigint)[]): number | bigint {
    const exported = this.#instance.entry[name];
    if (!exported) throw new Error(`the entry does not export ${name}`);
    return exported(...values) ?? 0;
  }

  /** Puts octets where the entry's functions look for them; how many they are. */
  put(bytes: Uint8Array): number {
    this.#instance.memory().set(bytes, this.call("inputAt"));
    return bytes.length;
  }

  output(length: number): Buffer {
    const at = this.call("outputAt");
    return Buffer.from(this.#instance.memory().slice(at, at + length));
  }

  /** What was written to a connection since the last time. */
  take(context: number): Buffer {
    return Buffer.from(this.#instance.take(context));
  }

  isClosed(context: number): boolean {
    return this.#instance.closed.has(context);
  }

  /** Octets of the guest's whole memory. */
  get memorySize(): number {
    return this.#instance.memory().length;
  }
}

/** `a.example` as labels behind their lengths; the root is the empty text. */
export function wireName(text: string): Buffer {
  const labels = text === "" || text === "." ? [] : text.split(".");
  return labelsName(...labels.map((label) => Buffer.from(label, "latin1")));
}

export function labelsName(...labels: Uint8Array[]): Buffer {
  return Buffer.concat([...labels.flatMap((label) => [Uint8Array.of(label.length), label]), Uint8Array.of(0)]);
}

/** A wire-format name as text; labels are read as latin1. */
export function nameText(wire: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; wire[at]; at += (wire[at] ?? 0) + 1)
    labels.push(Buffer.from(wire.subarray(at + 1, at + 1 + (wire[at] ?? 0))).toString("latin1"));
  return labels.join(".");
}

export function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
