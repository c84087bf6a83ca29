// The name that a verdict has a query answered by instead of its own.

import { replacementAt, Verdict } from "../verdict/verdict";
import { MAX_NAME, NameKey } from "../wire/name";

const made: usize = memory.data(256);

/** Sets `into` to what the verdict makes of `name`; false where that is longer than a name may be (RFC 1035, section 2.3.4). */
export function rewrite(into: NameKey, name: NameKey, verdict: Verdict): bool {
  const kept = name.length - name.suffixLength(min(verdict.replacedLabels, name.labels));
  const length = kept + verdict.replacementLength;
  if (length > MAX_NAME) return false;
  memory.copy(made, name.at, kept);
  memory.copy(made + kept, replacementAt(verdict), verdict.replacementLength);
  into.set(made, length);
  return true;
}
