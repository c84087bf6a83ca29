/**
 * Which view is shown, as the fragment of the address says it: `#/policies/history/41?against=40`.
 */
import { computed, signal } from "@preact/signals";

const fragment = signal(location.hash);
addEventListener("hashchange", () => {
  fragment.value = location.hash;
});

export interface Route {
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

export const route = computed((): Route => {
  const [path = "", query = ""] = fragment.value.replace(/^#\/?/, "").split("?");
  return { segments: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
});

export function linkTo(segments: readonly string[], query: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${segments.map(encodeURIComponent).join("/")}${search === "" ? "" : `?${search}`}`;
}

export function go(segments: readonly string[], query: Readonly<Record<string, string>> = {}): void {
  location.hash = linkTo(segments, query);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
