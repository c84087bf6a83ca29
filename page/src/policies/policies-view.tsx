/**
 * Policies: the set in force, edited, explained, and gone back to.
 */
import "../style/policies.css";
import { ExplainView } from "../explain/explain-view.tsx";
import { linkTo, route } from "../shell/route.ts";
import { HistoryView } from "./history-view.tsx";
import { SetView } from "./set-view.tsx";

const TABS = [
  { id: "set", title: "In force", show: SetView },
  { id: "explain", title: "Explain", show: ExplainView },
  { id: "history", title: "History", show: HistoryView },
] as const;

export function PoliciesView() {
  const [, id = "set"] = route.value.segments;
  const { id: current, show: Shown } = TABS.find((tab) => tab.id === id) ?? TABS[0];
  return (
    <>
      <h1 class="unseen">Policies</h1>
      <nav class="tabs" aria-label="Policies">
        {TABS.map((tab) => (
          <a key={tab.id} href={linkTo(["policies", tab.id])} aria-current={tab.id === current ? "page" : undefined}>
            {tab.title}
          </a>
        ))}
      </nav>
      <Shown />
    </>
  );
}
