// One corpus: what it is, how large, whether it is here, and how it begins.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { corpusPreviewQuery } from "@/api/corpora";
import { asProblem } from "@/api/problem";
import { CorpusState, type Corpus } from "@/gen/lab/v1/corpus_pb";
import { formatBytes, formatCount } from "@/lib/format";
import { Badge, type BadgeShape, type BadgeTone } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/panel";
import { ProblemNotice } from "@/ui/problem-notice";
import styles from "./corpus-card.module.css";

const STATES: Record<CorpusState, [string, BadgeTone, BadgeShape]> = {
  [CorpusState.UNSPECIFIED]: ["unknown", "neutral", "ring"],
  [CorpusState.ABSENT]: ["not fetched", "neutral", "ring"],
  [CorpusState.PREPARING]: ["preparing", "paused", "dot"],
  [CorpusState.READY]: ["ready", "running", "check"],
};

export function CorpusCard({ corpus: listed }: { corpus: Corpus }) {
  const [open, setOpen] = useState(false);
  const preview = useQuery({ ...corpusPreviewQuery(listed.name), enabled: open, retry: false });
  // A preview fetches the text, so it knows more than the list did.
  const corpus = preview.data?.corpus ?? listed;
  const absent = corpus.state !== CorpusState.READY;
  const [word, tone, shape] = STATES[corpus.state];
  return (
    <Panel
      title={corpus.title || corpus.name}
      controls={
        <Badge tone={tone} shape={shape} data-testid="corpus-state">
          {word}
        </Badge>
      }
      data-testid="corpus-card"
    >
      <p className={styles["description"]}>{corpus.description}</p>
      <dl className={styles["facts"]}>
        {!absent && (
          <>
            <Fact term="text" value={formatBytes(corpus.textBytes)} />
            <Fact term="tokens" value={formatCount(corpus.tokens)} />
            <Fact term="training" value={formatCount(corpus.trainTokens)} />
            <Fact term="validation" value={formatCount(corpus.validationTokens)} />
            <Fact
              term="distinct tokens"
              value={formatCount(corpus.distinctTokens)}
              title="Token ids that occur at all, of the tokenizer's 50,257"
            />
          </>
        )}
        <Fact term="licence" value={corpus.licence || "not stated"} />
      </dl>
      <Button
        busy={preview.isFetching}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        data-testid="corpus-preview"
      >
        {open
          ? "Hide the beginning"
          : absent
            ? "Fetch and show the beginning"
            : "Show the beginning"}
      </Button>
      {open && preview.error !== null && (
        <div className={styles["problem"]}>
          <ProblemNotice problem={asProblem(preview.error)} />
        </div>
      )}
      {open && preview.data && (
        <pre className={styles["text"]} data-testid="corpus-text" tabIndex={0}>
          {preview.data.text}
        </pre>
      )}
    </Panel>
  );
}

function Fact({ term, value, title }: { term: string; value: string; title?: string }) {
  return (
    <div title={title}>
      <dt>{term}</dt>
      <dd>{value}</dd>
    </div>
  );
}
