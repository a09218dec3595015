// Before a lab that asks for its token, and has not got it.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { openSession } from "@/api/session";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextInput } from "@/ui/text-input";
import styles from "./door.module.css";

export function Door({ onOpen }: { onOpen: () => void }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const open = async () => {
    setProblem(null);
    try {
      await openSession(token.trim());
      onOpen();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  return (
    <main className={styles["door"]}>
      <h1>This lab asks for its token</h1>
      <p>
        Open the link in <code>gateway-link</code>, or paste what is in <code>gateway-token</code>;
        both are in the lab&apos;s home folder, on the machine where it runs.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void open();
        }}
      >
        <Field label="Token">
          {(control) => (
            <TextInput
              {...control}
              type="password"
              autoComplete="current-password"
              data-testid="door-token"
              value={token}
              onChange={(event) => setToken(event.target.value)}
            />
          )}
        </Field>
        <Button type="submit" kind="primary" disabled={token.trim() === ""} data-testid="door-open">
          Open
        </Button>
      </form>
      {problem && <ProblemNotice problem={problem} />}
    </main>
  );
}
