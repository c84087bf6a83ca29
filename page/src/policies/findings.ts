/**
 * What deserves a second look in the set in force, as the service says it.
 */
import { effect, signal } from "@preact/signals";
import type { Finding } from "../../../extproc/lint/finding.ts";
import { ask } from "../api/ask.ts";
import { resources } from "../api/service.ts";
import { findRules } from "../yaml/rules.ts";

export const findings = signal<readonly Finding[]>([]);

/** Keeps them as new as the resources are; returns how to stop. */
export function followFindings(): () => void {
  return effect(() => {
    if (resources.value === undefined) return;
    ask<{ readonly findings: readonly Finding[] }>("/v1/lint").then(
      (told) => {
        findings.value = told.findings;
      },
      () => {},
    );
  });
}

/** Of one resource, as Kind/name. */
export function findingsOf(key: string): Finding[] {
  return findings.value.filter(({ source }) => source === `stored ${key}`);
}

/** Rules that never have a word, as policy/rule, and why. */
export function shadowedRules(): ReadonlyMap<string, string> {
  const shadowed = new Map<string, string>();
  for (const { kind, source, path, message } of findings.value) {
    const [, index] = /^spec\.rules\[(\d+)\]$/.exec(path) ?? [];
    if (kind !== "unreachable" || index === undefined) continue;
    const resource = resources.value?.resources.find((each) => source === `stored ${each.kind}/${each.name}`);
    const place = resource && findRules(resource.text)[Number(index)];
    if (place !== undefined) shadowed.set(`${place.policy}/${place.rule}`, message);
  }
  return shadowed;
}
