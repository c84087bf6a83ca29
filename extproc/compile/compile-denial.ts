/**
 * What a denial looks like: of a rule, of a response rule, of clients that nobody knows.
 */
import { DenyForm } from "../compiled/messages.ts";
import type { DenialRecord } from "../compiled/snapshot.ts";
import { EDE_CODES, type Response } from "../resources/response-schema.ts";

/** RFC 1035 section 4.1.1; NODATA is NOERROR without an answer (RFC 2308). */
const RCODES = { NODATA: 0, NXDOMAIN: 3, REFUSED: 5 } as const;

export type DenialCode = keyof typeof RCODES;

/** A denial is soon forgotten, so that a policy that is lifted is felt to be. */
const DEFAULT_DENIAL_TTL = 30;

const TYPE_A = 1;
const TYPE_AAAA = 28;

export function compileDenial(
  response: Response | undefined,
  code: DenialCode,
  edeCode: number,
  edeText: string,
): DenialRecord {
  const ede = response?.ede;
  const { form, rcode } = lookOf(response, code);
  const records = (response?.addresses ?? []).map((octets) => ({
    type: octets.length === 4 ? TYPE_A : TYPE_AAAA,
    data: Buffer.from(octets).toString("base64"),
  }));
  const usual = form === DenyForm.RECORDS ? EDE_CODES.ForgedAnswer : edeCode;
  return {
    rcode,
    form,
    records,
    edeCode: ede === undefined ? usual : typeof ede === "string" ? EDE_CODES[ede] : ede.code,
    edeText: typeof ede === "object" ? (ede.text ?? edeText) : edeText,
    ttl: rcode === RCODES.REFUSED ? 0 : (response?.ttl ?? DEFAULT_DENIAL_TTL),
  };
}

/** Over all but UDP a truncated denial is one like any other. */
function lookOf(response: Response | undefined, code: DenialCode): { readonly form: DenyForm; readonly rcode: number } {
  if (response?.addresses) return { form: DenyForm.RECORDS, rcode: 0 };
  if (response?.code === "Drop") return { form: DenyForm.DROP, rcode: RCODES[code] };
  if (response?.code === "Truncate") return { form: DenyForm.TRUNCATE, rcode: RCODES[code] };
  return { form: DenyForm.RCODE, rcode: RCODES[response?.code ?? code] };
}
