/**
 * A domain name as it was asked for: what is below in full ink, what it hangs from lighter. It came from a wire: the
 * service has written control octets as \DDD, and here it is text, whatever it says.
 */
export function Name({ name }: { readonly name: string }) {
  const [below, zone] = splitName(name);
  return (
    <bdi class="name">
      {below}
      <span class="zone">{zone}</span>
    </bdi>
  );
}

/** The last two labels, where there are more; a dot behind a backslash ends no label (RFC 1035, section 5.1). */
export function splitName(name: string): readonly [string, string] {
  const text = name.endsWith(".") && name.length > 1 && !name.endsWith("\\.") ? name.slice(0, -1) : name;
  let dots = 0;
  for (let at = text.length - 1; at > 0; at--) {
    if (text[at] !== "." || isEscaped(text, at)) continue;
    if (++dots === 2) return [text.slice(0, at), text.slice(at)];
  }
  return [text, ""];
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text[at - 1 - slashes] === "\\") slashes++;
  return slashes % 2 === 1;
}
