// The form as YAML, both ways: what it says now as a text to keep, and a text read back into the form by the server.
import { useState } from "react";
import { asProblem } from "@/api/problem";
import { runFromYaml, runToYaml } from "@/api/runs";
import type { RunSpec } from "@/gen/lab/v1/run_spec_pb";
import type { CreateRunRequest } from "@/gen/lab/v1/trainer_service_pb";
import { Button } from "@/ui/button";
import { ProblemNotice, type ProblemText } from "@/ui/problem-notice";
import { TextArea } from "@/ui/text-area";
import styles from "./yaml-panel.module.css";

export function YamlPanel({
  preset,
  spec,
  onRead,
}: {
  preset: string;
  /** The resolved spec of the form as it stands; undefined while it cannot be resolved. */
  spec: RunSpec | undefined;
  onRead: (asked: CreateRunRequest) => void;
}) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<ProblemText | null>(null);
  const [note, setNote] = useState("");
  const told = (what: Promise<string>) => {
    setProblem(null);
    setNote("");
    what.then(setNote).catch((error: unknown) => setProblem(asProblem(error)));
  };
  const write = async (of: RunSpec) => {
    setText(await runToYaml(preset, of));
    return "This is the form as it stands; lab train --yaml reads it too.";
  };
  const read = async () => {
    onRead(await runFromYaml(text));
    return "Read into the form.";
  };
  return (
    <div className={styles["yaml"]}>
      <TextArea
        rows={12}
        spellCheck={false}
        aria-label="The run as YAML"
        placeholder={"preset: nano\nbudget:\n  steps: 200"}
        data-testid="yaml-text"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <div className={styles["buttons"]}>
        <Button
          disabled={spec === undefined}
          onClick={() => spec && told(write(spec))}
          data-testid="yaml-write"
        >
          Write the form as YAML
        </Button>
        <Button disabled={text.trim() === ""} onClick={() => told(read())} data-testid="yaml-read">
          Read into the form
        </Button>
        <span role="status">{note}</span>
      </div>
      {problem && <ProblemNotice problem={problem} />}
    </div>
  );
}
