// The text to learn from.
import { CorpusState, type Corpus } from "@/gen/lab/v1/corpus_pb";
import { formatBytes, formatShort } from "@/lib/format";
import { Field } from "@/ui/field";
import { Select } from "@/ui/select";

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
  );
}

function describe(corpus: Corpus): string {
  const state =
    corpus.state === CorpusState.READY
      ? formatBytes(corpus.textBytes)
      : "fetched when the run starts";
  return [corpus.description, `Licence: ${corpus.licence}.`, state].filter(Boolean).join(" ");
}
