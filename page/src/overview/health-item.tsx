/** A line of what is well or not. */
export type Grade = "good" | "warn" | "bad";

const SIGNS: Readonly<Record<Grade, string>> = { good: "✓", warn: "!", bad: "✗" };
const WORDS: Readonly<Record<Grade, string>> = { good: "well", warn: "to be looked at", bad: "not well" };

export function Item({ grade, children }: { readonly grade: Grade; readonly children: preact.ComponentChildren }) {
  return (
    <li>
      <span class={grade} aria-hidden="true">
        {SIGNS[grade]}
      </span>
      <span class="unseen">{WORDS[grade]}: </span>
      <span>{children}</span>
    </li>
  );
}
