// A lab that asks for its token: the token is swapped for a cookie that scripts cannot read, and kept nowhere here.
import { ProblemError, readProblem } from "./problem";

const SESSION = "/api/session";

/** Throws ProblemError when it is not the lab's token. */
export async function openSession(token: string): Promise<void> {
  const response = await fetch(SESSION, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "x-lab-client": "dashboard",
    },
    body: "{}",
  });
  if (!response.ok) throw new ProblemError(await readProblem(response, SESSION));
}

/** Whether the lab wants a token that this browser has not given. An absent lab is not a closed one. */
export async function isClosed(): Promise<boolean> {
  try {
    return (await fetch("/api/system")).status === 401;
  } catch {
    return false;
  }
}

/** The token in an address like "/#token=…"; undefined when there is none. */
export function tokenIn(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("token") ?? undefined;
}
