/**
 * The frame around every view: where one is, which policy is in force, who one is.
 */
import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { refused } from "../api/ask.ts";
import { Keys, useKeys } from "./keys.tsx";
import { Masthead } from "./masthead.tsx";
import { route } from "./route.ts";
import { SignIn } from "./sign-in.tsx";
import { VIEWS } from "./views.ts";

const loaded = new Map<string, ComponentType>();

export function App() {
  const [id = ""] = route.value.segments;
  const view = VIEWS.find((known) => known.id === id) ?? VIEWS[0];
  const shown = useSignal<ComponentType | undefined>(undefined);
  const failure = useSignal("");
  useKeys();
  useEffect(() => {
    if (view === undefined) return;
    document.title = `${view.title} · dnspolicy`;
    shown.value = loaded.get(view.id);
    let current = true;
    view.load().then(
      (component) => {
        loaded.set(view.id, component);
        if (current) shown.value = component;
      },
      () => {
        failure.value = "This view could not be fetched: is the policy service there?";
      },
    );
    return () => {
      current = false;
    };
  }, [view, shown, failure]);
  const Shown = shown.value;
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Skip to the view
      </button>
      <Masthead view={view?.id ?? ""} />
      <main id="main" tabIndex={-1}>
        {refused.value !== "" ? <SignIn /> : Shown ? <Shown /> : <p class="quiet">{failure.value}</p>}
      </main>
      <Keys />
    </>
  );
}

/** No link: the address's fragment says which view is shown. */
function skip(): void {
  document.getElementById("main")?.focus();
}
