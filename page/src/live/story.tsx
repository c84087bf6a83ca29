/**
 * Everything that is known of one query: what decided, what is on trial, where its time went, and what would be now.
 */
import { useState } from "preact/hooks";
import type { QueryRecord } from "../../../extproc/telemetry/questions.ts";
import { status } from "../api/service.ts";
import { Answers } from "../explain/answers.tsx";
import type { Question } from "../explain/question.ts";
import { QuestionForm } from "../explain/question-form.tsx";
import { Name } from "../parts/name.tsx";
import { PolicyLink } from "../parts/policy-link.tsx";
import { linkTo } from "../shell/route.ts";
import { nameTenant, shortVersion } from "../text/words.ts";
import { escapeName, formatClock, nameEde, toneOf, VERDICTS } from "./query-words.ts";
import { Timing } from "./timing.tsx";

export function Story({ query, onClose }: { readonly query: QueryRecord; readonly onClose: () => void }) {
  const { qname, qtype, tenant, client, principal, transport, time, revision } = query;
  const now = status.value.value?.revision;
  return (
    <section class="stack story" aria-label="One query">
      <div class="row spread">
        <h2>
          <Name name={qname} /> {qtype}
        </h2>
        <button type="button" class="plain" onClick={onClose}>
          close
        </button>
      </div>
      <p class={`verdict ${toneOf(query)}`}>{describe(query)}</p>
      <p>
        <bdi>
          <strong>{nameTenant(tenant)}</strong>
        </bdi>{" "}
        asked from <span class="mono">{client}</span>
        {principal !== undefined && (
          <>
            {" as "}
            <bdi class="mono">{principal}</bdi>
          </>
        )}{" "}
        over {transport} at <span class="mono">{formatClock(time)}</span>, under revision{" "}
        <span class="mono">{shortVersion(revision)}</span>
        {now === undefined || now === revision ? "" : `; ${shortVersion(now)} is in force by now`}.
      </p>
      <Facts query={query} />
      <Timing query={query} />
      <WhatIf asked={questionOf(query)} />
    </section>
  );
}

function describe({ outcome, rcode, ede }: QueryRecord): string {
  const verdict = VERDICTS[outcome] ?? outcome;
  const code = rcode === "NONE" ? "no answer" : rcode;
  return `${verdict.charAt(0).toUpperCase()}${verdict.slice(1)}: ${code}${ede === undefined ? "" : `, ${nameEde(ede)}`}`;
}

function Facts({ query }: { readonly query: QueryRecord }) {
  const { policy, rule = "", audit = [], answers = [], flags, cache, upstream, rewritten } = query;
  return (
    <dl class="facts">
      <dt>Decided by</dt>
      <dd>{policy === undefined ? "no rule" : <PolicyLink {...{ policy, rule }} />}</dd>
      {audit.map(({ policy: of, rule: name, would }) => (
        <div key={`${of}/${name}`}>
          <dt>On trial</dt>
          <dd class="warn">
            <PolicyLink policy={of} rule={name} />, which would have said {would}
          </dd>
        </div>
      ))}
      {rewritten !== undefined && (
        <>
          <dt>Answered as</dt>
          <dd>
            <Name name={rewritten} />
          </dd>
        </>
      )}
      {answers.length > 0 && (
        <>
          <dt>Addresses</dt>
          <dd class="mono">{answers.join(", ")}</dd>
        </>
      )}
      {flags !== undefined && (
        <>
          <dt>Flags</dt>
          <dd class="mono">{flags}</dd>
        </>
      )}
      {cache !== undefined && (
        <>
          <dt>Cache</dt>
          <dd>{cache}</dd>
        </>
      )}
      {upstream !== undefined && (
        <>
          <dt>Upstream</dt>
          <dd>
            <a href={linkTo(["upstreams"])}>{upstream}</a>
          </dd>
        </>
      )}
    </dl>
  );
}

/** As the tenant that it was taken for: what else than its certificate it showed is in no log. */
function questionOf({ client, principal, tenant, qname, qtype, transport, time }: QueryRecord): Question {
  return {
    client,
    ...(principal === undefined ? {} : { principal }),
    name: escapeName(qname),
    type: qtype ?? "A",
    transport: transport as Question["transport"],
    at: time,
    ...(tenant === "" ? {} : { tenant }),
  };
}

/** The same question now; or another one, by whoever changes it. */
function WhatIf({ asked }: { readonly asked: Question }) {
  const [question, setQuestion] = useState(asked);
  return (
    <section class="stack" aria-label="Explained">
      <h3>Explained by the policy in force</h3>
      <Answers question={question} />
      <details>
        <summary>What if it were asked otherwise?</summary>
        <QuestionForm question={question} onAsk={setQuestion} action="What if" />
      </details>
    </section>
  );
}
