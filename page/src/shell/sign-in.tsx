/**
 * Where the API asks who one is: a token, kept by this tab alone.
 */
import { useEffect, useRef } from "preact/hooks";
import { refused, signIn } from "../api/ask.ts";

export function SignIn() {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <form
      class="sign-in"
      aria-labelledby="sign-in-title"
      onSubmit={(event) => {
        event.preventDefault();
        const secret = field.current?.value.trim() ?? "";
        if (secret !== "") signIn(secret);
      }}
    >
      <h1 id="sign-in-title">{refused.value}</h1>
      <label>
        Bearer token
        <input ref={field} type="password" autoComplete="off" spellcheck={false} required />
      </label>
      <p class="quiet">It is kept until this tab is closed. Whoever runs the service has given you one, with a role.</p>
      <button type="submit">Sign in</button>
    </form>
  );
}
