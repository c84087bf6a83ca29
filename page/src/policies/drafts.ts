/**
 * Texts that somebody is writing, by what they are to replace; they stay while one looks at other views.
 */
import { computed, signal } from "@preact/signals";
import type { ObservedResource } from "../../../extproc/server/resource-status.ts";
import { resources } from "../api/service.ts";

/** What is shown in the editor: a resource as `Kind/name`, the whole set, or a resource that is still to be. */
export const WHOLE_SET = "set";
export const NEW = "new";

export interface Draft {
  readonly text: string;
  /** The version that it began from. */
  readonly base: number;
  /** Why, as far as the page knows it. */
  readonly reason?: string;
}

export const drafts = signal<Readonly<Record<string, Draft>>>({});

export function keyOf({ kind, name }: Pick<ObservedResource, "kind" | "name">): string {
  return `${kind}/${name}`;
}

/** As it is in force; empty for one that is not. */
export function textInForce(key: string): string {
  const all = resources.value?.resources ?? [];
  if (key === WHOLE_SET)
    return all
      .map(({ text }) => text.trimEnd())
      .join("\n---\n")
      .concat("\n");
  return all.find((resource) => keyOf(resource) === key)?.text ?? "";
}

export function setDraft(key: string, text: string, reason?: string): void {
  const { [key]: known, ...others } = drafts.value;
  if (text === textInForce(key)) {
    drafts.value = others;
    return;
  }
  const base = known?.base ?? resources.value?.sequence ?? 0;
  const why = reason ?? known?.reason;
  drafts.value = { ...others, [key]: { text, base, ...(why === undefined ? {} : { reason: why }) } };
}

export function dropDraft(key: string): void {
  const { [key]: _, ...others } = drafts.value;
  drafts.value = others;
}

/** The draft that somebody else in the page may ask about: the one that was touched last. */
export const latestDraft = computed(() => {
  const [key, draft] = Object.entries(drafts.value).at(-1) ?? [];
  return key === undefined || draft === undefined ? undefined : { key, ...draft };
});
