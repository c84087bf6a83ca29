/**
 * Capture by iptables (iptables(8), iptables-extensions(8)), as init containers have it: a chain of our own in the table
 * nat of each family, and one jump to it.
 */
import type { Network } from "../resources/network.ts";
import type { Capture, CaptureState, Rules, RunProgram } from "./rules.ts";

const CHAIN = "DNSPOLICY";
const JUMP = ["OUTPUT", "-j", CHAIN];
const FAMILIES = ["iptables", "ip6tables"] as const;
type Family = (typeof FAMILIES)[number];
const NAT = ["-w", "5", "-t", "nat"];

export class Iptables implements Rules {
  readonly #run: RunProgram;

  constructor(run: RunProgram) {
    this.#run = run;
  }

  plan(capture: Capture): string {
    const jump = `-I ${JUMP.join(" ")}`;
    return FAMILIES.map(
      (family) => `# ${family}-restore --noflush, unless it is there: ${jump}\n${chain(family, capture)}`,
    ).join("");
  }

  async install(capture: Capture): Promise<void> {
    for (const family of FAMILIES) {
      // A chain that is declared is emptied (iptables-restore(8)), and filled in the same transaction.
      await this.#run(`${family}-restore`, ["-w", "5", "--noflush"], chain(family, capture));
      if (!(await this.#jumps(family))) await this.#run(family, [...NAT, "-I", ...JUMP]);
    }
  }

  async remove(): Promise<void> {
    for (const family of FAMILIES) {
      while (await this.#jumps(family)) await this.#run(family, [...NAT, "-D", ...JUMP]);
      if ((await this.#rules(family)) === undefined) continue;
      await this.#run(family, [...NAT, "-F", CHAIN]);
      await this.#run(family, [...NAT, "-X", CHAIN]);
    }
  }

  async check(capture: Capture): Promise<CaptureState> {
    const states = [];
    for (const family of FAMILIES) {
      const wanted = rules(family, capture);
      const there = await this.#rules(family);
      const jumps = await this.#jumps(family);
      if (there === undefined && !jumps) states.push("absent");
      else states.push(jumps && there?.join("\n") === wanted.join("\n") ? "installed" : "other");
    }
    const [first] = states;
    return states.every((state) => state === first) ? (first as CaptureState) : "other";
  }

  async #jumps(family: string): Promise<boolean> {
    return (await this.#listed(family)).includes(`-A ${JUMP.join(" ")}`);
  }

  /** Undefined where there is no such chain. */
  async #rules(family: string): Promise<string[] | undefined> {
    const listed = await this.#listed(family);
    if (!listed.includes(`-N ${CHAIN}`)) return undefined;
    return listed.filter((line) => line.startsWith(`-A ${CHAIN} `));
  }

  async #listed(family: string): Promise<string[]> {
    return (await this.#run(family, [...NAT, "-S"])).split("\n").map((line) => line.trim());
  }
}

function chain(family: Family, capture: Capture): string {
  return `*nat\n:${CHAIN} - [0:0]\n${rules(family, capture).join("\n")}\nCOMMIT\n`;
}

/** As `iptables -S` prints them. */
function rules(family: Family, { port, users, mark, virtual }: Capture): string[] {
  const { port: virtualPort, ranges = [], resolverPort } = virtual ?? {};
  const isOurs = (network: Network) => network.family === (family === "iptables" ? 4 : 6);
  const asksItself = resolverPort !== undefined && family === "iptables";
  return [
    ...users.map((user) => `-m owner --uid-owner ${user} -j RETURN`),
    ...(mark === undefined ? [] : [`-m mark --mark 0x${mark.toString(16)} -j RETURN`]),
    `-p udp -m udp --dport 53 -j REDIRECT --to-ports ${port}`,
    `-p tcp -m tcp --dport 53 -j REDIRECT --to-ports ${port}`,
    ...(asksItself ? [`-d 127.0.0.1/32 -p tcp -m tcp --dport ${resolverPort} -j REDIRECT --to-ports ${port}`] : []),
    ...ranges.filter(isOurs).map(({ text }) => `-d ${text} -p tcp -j REDIRECT --to-ports ${virtualPort}`),
  ].map((rule) => `-A ${CHAIN} ${rule}`);
}
