// The rows of a timeline: written on request, cancelled on request and when the page is left.
import { useEffect, useRef, useState } from "react";
import { useLiveClient } from "@/live/use-channel";
import type { GenerationSettings } from "./generation-settings";
import { waitingRows, writeAtSteps, type StepSource, type WrittenStep } from "./timeline-run";

const NONE: readonly WrittenStep[] = [];

export function useTimeline() {
  const client = useLiveClient();
  const [rows, setRows] = useState(NONE);
  const [settings, setSettings] = useState<GenerationSettings | null>(null);
  const [working, setWorking] = useState(false);
  const run = useRef<AbortController | null>(null);
  useEffect(() => () => run.current?.abort(), []);

  const write = (sources: readonly StepSource[], asked: GenerationSettings) => {
    run.current?.abort();
    const mine = new AbortController();
    run.current = mine;
    setRows(waitingRows(sources));
    setSettings(asked);
    setWorking(true);
    const told = (index: number, change: Partial<WrittenStep>) => {
      if (run.current !== mine) return;
      setRows((held) => held.map((row, at) => (at === index ? { ...row, ...change } : row)));
    };
    void writeAtSteps(sources, { client, settings: asked, signal: mine.signal, told }).finally(
      () => {
        if (run.current !== mine) return;
        setWorking(false);
        if (mine.signal.aborted) setRows((held) => held.map(givenUp));
      },
    );
  };
  return { rows, settings, working, write, cancel: () => run.current?.abort() };
}

function givenUp(row: WrittenStep): WrittenStep {
  return row.phase === "done" || row.phase === "failed" ? row : { ...row, phase: "cancelled" };
}
