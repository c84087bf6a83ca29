/** A rule, and where its policy is edited. */
import { resources } from "../api/service.ts";
import { linkTo } from "../shell/route.ts";

export function PolicyLink({ policy, rule }: { readonly policy: string; readonly rule: string }) {
  const text = rule === "" ? policy : `${policy}/${rule}`;
  const kinds = ["DnsPolicy", "ClusterDnsPolicy"];
  const known = resources.value?.resources.find(({ kind, name }) => kinds.includes(kind) && name === policy);
  if (known === undefined) return <span class="mono">{text}</span>;
  return (
    <a class="mono" href={linkTo(["policies", "set", known.kind, policy])}>
      {text}
    </a>
  );
}
