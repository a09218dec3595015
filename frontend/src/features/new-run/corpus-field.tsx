// The text to learn from: which, how large, how it begins.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { corpusPreviewQuery } from "@/api/corpora";
import { asProblem } from "@/api/problem";
import { CorpusState, type Corpus } from "@/gen/lab/v1/corpus_pb";
import { formatBytes, formatShare, formatShort } from "@/lib/format";
import { Button } from "@/ui/button";
import { Field } from "@/ui/field";
import { ProblemNotice } from "@/ui/problem-notice";
import { Select } from "@/ui/select";
import styles from "./corpus-field.module.css";

export function CorpusField({
  corpora,
  value,
  error,
  onChange,
}: {
  corpora: readonly Corpus[];
  value: string;
  error: string | undefined;
  onChange: (corpus: string) => void;
}) {
  const options = corpora.map((corpus) => {
    const id = corpus.name.slice("corpora/".length);
    const size = corpus.tokens > 0n ? `${formatShort(corpus.tokens)} tokens` : "not fetched yet";
    return { value: id, label: `${corpus.title || id} (${size})` };
  });
  if (value !== "" && !options.some((option) => option.value === value)) {
    options.unshift({ value, label: value });
  }
  const chosen = corpora.find((corpus) => corpus.name === `corpora/${value}`);
  return (
    <div>
      <Field label="Corpus" hint={chosen ? describe(chosen) : ""} error={error}>
        {(control) => (
          <Select
            {...control}
            data-testid="field-data.corpus"
            options={options}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
        )}
      </Field>
      {chosen && <Beginning key={chosen.name} corpus={chosen} />}
    </div>
  );
}

function describe(corpus: Corpus): string {
  return [corpus.description, `Licence: ${corpus.licence}.`, stateOf(corpus)]
    .filter(Boolean)
    .join(" ");
}

function stateOf(corpus: Corpus): string {
  if (corpus.state === CorpusState.READY) return formatBytes(corpus.textBytes);
  if (corpus.state === CorpusState.PREPARING) {
    return `being prepared, ${formatShare(corpus.preparedShare)} done`;
  }
  return "Fetched when the run starts";
}

function Beginning({ corpus }: { corpus: Corpus }) {
  const [open, setOpen] = useState(false);
  const preview = useQuery({ ...corpusPreviewQuery(corpus.name), enabled: open, retry: false });
  const absent = corpus.state !== CorpusState.READY && !preview.data;
  return (
    <>
      <Button
        busy={preview.isFetching}
        aria-expanded={open}
        data-testid="corpus-beginning"
        onClick={() => setOpen(!open)}
      >
        {preview.isFetching
          ? "Fetching…"
          : open
            ? "Hide its beginning"
            : absent
              ? "Fetch it and show its beginning"
              : "Show its beginning"}
      </Button>
      {open && preview.error !== null && <ProblemNotice problem={asProblem(preview.error)} />}
      {open && preview.data && (
        <pre className={styles["text"]} tabIndex={0} aria-label={`Beginning of ${corpus.title}`}>
          {preview.data.text}
        </pre>
      )}
    </>
  );
}
