// Every corpus that can be trained on.
import { useQuery } from "@tanstack/react-query";
import { corporaQuery } from "@/api/corpora";
import { asProblem } from "@/api/problem";
import { EmptyState } from "@/ui/empty-state";
import { ProblemNotice } from "@/ui/problem-notice";
import styles from "./corpora.module.css";
import { CorpusCard } from "./corpus-card";

export function Corpora() {
  const { data: corpora, error } = useQuery(corporaQuery);
  if (error !== null) return <ProblemNotice problem={asProblem(error)} />;
  if (corpora?.length === 0) {
    return (
      <EmptyState title="No corpus">
        Add a file to configs/corpora and start the lab again.
      </EmptyState>
    );
  }
  return (
    <div className={styles["cards"]}>
      {corpora?.map((corpus) => (
        <CorpusCard key={corpus.name} corpus={corpus} />
      ))}
    </div>
  );
}
