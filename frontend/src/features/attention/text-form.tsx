// The text that the model reads. It is asked about when sent, not at every key.
import { useState, type SyntheticEvent } from "react";
import { Button } from "@/ui/button";
import { TextInput } from "@/ui/text-input";
import styles from "./text-form.module.css";

export function TextForm({
  text,
  busy,
  onSend,
}: {
  text: string;
  busy: boolean;
  onSend: (text: string) => void;
}) {
  const [draft, setDraft] = useState(text);
  const send = (event: SyntheticEvent) => {
    event.preventDefault();
    if (draft !== "") onSend(draft);
  };
  return (
    <form className={styles["form"]} onSubmit={send}>
      <label className={styles["label"]} htmlFor="inside-text">
        text
      </label>
      <TextInput
        id="inside-text"
        className={styles["text"] ?? ""}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        spellCheck={false}
        autoComplete="off"
        placeholder="A sentence for the model to read"
        data-testid="inside-text"
      />
      <Button
        type="submit"
        kind="primary"
        disabled={draft === ""}
        busy={busy}
        data-testid="analyse"
      >
        Analyse
      </Button>
    </form>
  );
}
