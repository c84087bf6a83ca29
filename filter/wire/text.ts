// Text in UTF-8, as other people's messages bring it along.

/** How much of the text is kept where at most `max` octets are: no character is cut in two. */
export function cutText(text: usize, length: u32, max: u32): u32 {
  if (length <= max) return length;
  let end = max;
  // What would be left out begins in the middle of a character.
  while (end > 0 && (load<u8>(text + end) & 0xc0) == 0x80) end--;
  return end;
}
