/**
 * What the API says, asked again and again while somebody looks at it.
 */
import { effect, type Signal, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ApiError, type Ask, ask, token } from "./ask.ts";

export interface Followed<T> {
  /** The last answer. */
  readonly value: Signal<T | undefined>;
  /** Why there is no newer one; empty when all is well. */
  readonly trouble: Signal<string>;
  /** Now, and not only when it is time. */
  refresh(): Promise<void>;
  stop(): void;
}

export function follow<T>(path: string, everyMs: number, options: Ask = {}, before?: T): Followed<T> {
  const value = signal<T | undefined>(before);
  const trouble = signal("");
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const look = async (): Promise<void> => {
    clearTimeout(timer);
    if (!document.hidden || value.peek() === undefined) {
      try {
        const answer = await ask<T>(path, options);
        if (stopped) return;
        value.value = answer;
        trouble.value = "";
      } catch (error) {
        if (stopped) return;
        trouble.value = error instanceof ApiError ? error.message : String(error);
      }
    }
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(look, everyMs);
  };
  // Whoever signs in wants to see what was kept from them; this is the first look, too.
  const unsubscribe = effect(() => {
    void token.value;
    void look();
  });
  return {
    value,
    trouble,
    refresh: look,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      unsubscribe();
    },
  };
}

/**
 * For as long as a component is shown. The path may change: another one is followed then, and what the one before said
 * stays until there is an answer, so that nothing jumps. Answers name their window and tenant.
 */
export function useFollowed<T>(path: string, everyMs: number): Followed<T> {
  const [followed, setFollowed] = useState<Followed<T>>(() => follow<T>(path, everyMs));
  const [followedPath, setFollowedPath] = useState(path);
  useEffect(() => {
    if (followedPath === path) return;
    setFollowedPath(path);
    setFollowed((before) => follow<T>(path, everyMs, {}, before.value.peek()));
  }, [path, followedPath, everyMs]);
  useEffect(() => () => followed.stop(), [followed]);
  return followed;
}
