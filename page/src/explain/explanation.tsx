/**
 * A verdict in words, and every rule in the order in which they are asked.
 */
import "../style/explain.css";
import { useEffect, useState } from "preact/hooks";
import type { End, Explanation } from "../../../extproc/explain/explanation.ts";
import { ApiError, ask } from "../api/ask.ts";
import { status } from "../api/service.ts";
import { Name } from "../parts/name.tsx";
import { PolicyLink } from "../parts/policy-link.tsx";
import { Problems } from "../parts/problems.tsx";
import { linkTo } from "../shell/route.ts";
import type { Question } from "./question.ts";

export function Answer({ question }: { readonly question: Question }) {
  const [answer, setAnswer] = useState<Explanation | ApiError>();
  const asked = JSON.stringify(question);
  const version = status.value.value?.sequence;
  useEffect(() => {
    const stop = new AbortController();
    const given = Object.entries(JSON.parse(asked) as Question).filter(([, value]) => value !== "");
    const later = setTimeout(() => {
      ask<Explanation>("/v1/explain", { method: "POST", json: Object.fromEntries(given), signal: stop.signal }).then(
        setAnswer,
        (error: unknown) => {
          if (error instanceof ApiError) setAnswer(error);
        },
      );
    });
    return () => {
      clearTimeout(later);
      stop.abort();
    };
  }, [asked, version]);
  if (answer === undefined) return null;
  if (answer instanceof ApiError) {
    return (
      <div role="alert">
        <p class="bad">
          <bdi>{answer.message}</bdi>
        </p>
        <Problems problems={answer.problems} />
      </div>
    );
  }
  return <Story explanation={answer} />;
}

function Story({ explanation }: { readonly explanation: Explanation }) {
  const { question, client, policy, rule, scope, rules, outcome } = explanation;
  return (
    <div class="story stack" aria-live="polite">
      <p class={`verdict ${outcome}`}>{describeOutcome(explanation)}</p>
      <p>
        <Name name={question.name} /> {question.type} over {question.transport} from{" "}
        <span class="mono">{client.address}</span>,{" "}
        {client.tenant === "" ? (
          <>who is no tenant’s</>
        ) : (
          <>
            who is <strong>{client.tenant}</strong>
          </>
        )}
        , as everybody with the same evidence from <span class="mono">{client.block}</span>.
      </p>
      <p>
        {rule === "" ? (
          "No rule decides."
        ) : (
          <>
            Rule <PolicyLink {...{ policy, rule }} /> decides
            {describeDenial(explanation)}.
          </>
        )}{" "}
        The same holds for {scope.names}, {scope.types}, {scope.transports}
        {scope.milliseconds === 0 ? "" : `, for ${scope.milliseconds / 1000} s`}.
      </p>
      {rules.length > 0 && (
        <table class="fates">
          <caption class="unseen">Every rule that speaks of the tenant, in the order in which they are asked</caption>
          <thead>
            <tr>
              <th>Tier</th>
              <th class="number">Priority</th>
              <th>Rule</th>
              <th>Action</th>
              <th>Fate</th>
            </tr>
          </thead>
          <tbody>
            {rules.map(({ kind, policy: of, rule: name, tier, priority, action, fate, because }) => (
              <tr
                key={`${kind}/${of}/${name}`}
                class={fate === "decides" ? "decides" : fate === "no match" ? "quiet" : ""}
              >
                <td>{tier}</td>
                <td class="number">{priority}</td>
                <td>
                  <a class="mono" href={linkTo(["policies", "set", kind, of])}>
                    {of}/{name}
                  </a>
                </td>
                <td>{action}</td>
                <td>
                  {fate}
                  {because === undefined ? "" : `: ${because}`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function describeOutcome({ rewritten, client, ...end }: Explanation): string {
  if (rewritten === undefined) return describeEnd(end, client.tenant);
  const { name, failure, end: other } = rewritten;
  if (failure !== undefined)
    return `Made to fail: ${failure === "too long" ? "the rewritten name is too long" : `${name} is rewritten too`}`;
  return `Rewritten to ${name}. ${other === undefined ? "" : describeEnd(other, client.tenant)}`;
}

function describeEnd({ outcome, denial, fault, upstream, records }: End, tenant: string): string {
  switch (outcome) {
    case "deny": {
      const how = denial?.form === "Drop" ? "no answer" : denial?.form === "Truncate" ? "Truncate" : denial?.rcode;
      return `${tenant === "" ? "Refused" : "Denied"}: ${how}`;
    }
    case "fault":
      return `Made to fail: ${fault?.code}`;
    case "answer":
      return `Answered by the rule: ${records === undefined || records.length === 0 ? "no data" : records.join(", ")}`;
    case "forward":
      return `Forwarded to ${upstream?.name} (${upstream?.protocol})`;
    default:
      return outcome;
  }
}

function describeDenial({ denial }: Explanation): string {
  if (denial === undefined) return "";
  return `, with EDE ${denial.ede}${denial.text === "" ? "" : ` “${denial.text}”`} and a TTL of ${denial.ttl} s`;
}
