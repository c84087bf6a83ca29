/**
 * The keyboard: numbers for the views, / for the filter, ? for this list.
 */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { isCommand } from "./command-key.ts";
import { go } from "./route.ts";
import { VIEWS } from "./views.ts";

const KEYS: readonly (readonly [string, string])[] = [
  [`1 to ${VIEWS.length}`, "the views, from left to right"],
  ["/", "the filter of a view"],
  ["p", "Live: pause, and go on"],
  ["j, k", "Live: the next query, the one before"],
  ["Esc", "close what was opened"],
  ["?", "this list"],
];

const shown = signal(false);

export function useKeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!isCommand(event)) return;
      const view = VIEWS[Number(event.key) - 1];
      if (view !== undefined) go([view.id]);
      else if (event.key === "?") shown.value = !shown.value;
      else if (event.key === "/") {
        const filter = document.querySelector<HTMLElement>("[data-filter]");
        if (filter === null) return;
        event.preventDefault();
        filter.focus();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

export function Keys() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (shown.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [shown.value]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="keys-title"
      onClose={() => {
        shown.value = false;
      }}
    >
      <h2 id="keys-title">Keys</h2>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
