/** What nobody can have meant, or should know of, in a resource that is in force; or in all of them. */
import { linkTo } from "../shell/route.ts";
import { WHOLE_SET } from "./drafts.ts";
import { findings, findingsOf } from "./findings.ts";

export function SecondLook({ of }: { readonly of: string }) {
  const found = of === WHOLE_SET ? findings.value : findingsOf(of);
  if (found.length === 0) return null;
  return (
    <section aria-labelledby="second-look">
      <h2 id="second-look">Worth a second look</h2>
      <ul class="problems warnings">
        {found.map(({ source, line, path, message, severity }) => {
          const [kind = "", name = ""] = source.replace(/^stored /, "").split("/");
          return (
            <li key={`${source} ${path} ${message}`} class={severity}>
              <span class="where">
                {of === WHOLE_SET && (
                  <>
                    <a href={linkTo(["policies", "set", kind, name])}>
                      {kind}/{name}
                    </a>
                    ,{" "}
                  </>
                )}
                line {line}, {path}
              </span>
              <bdi>{message}</bdi>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
