// Asks the server whether the run could start as it stands: the resolved spec and what it would take, or every violation.
import { useEffect, useState } from "react";
import { asProblem } from "@/api/problem";
import { checkRun } from "@/api/runs";
import type { Problem } from "@/gen/lab/v1/error_pb";
import { TimingSource, type Preflight } from "@/gen/lab/v1/preflight_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import type { CreateRunRequest } from "@/gen/lab/v1/trainer_service_pb";

const TYPED_OUT_AFTER_MS = 250;
const MEASURED_AFTER_MS = 2_000; // real steps are being timed; then there is more to tell

export interface Checked {
  /** The run as it would be; the last good one stays while a newer question is open. */
  run: Run | undefined;
  preflight: Preflight | undefined;
  problem: Problem | undefined;
  asking: boolean;
}

const NOTHING: Checked = {
  run: undefined,
  preflight: undefined,
  problem: undefined,
  asking: false,
};

export function usePreflight(request: CreateRunRequest, sendable: boolean): Checked {
  const [checked, setChecked] = useState<Checked>(NOTHING);
  const { preset } = request;
  useEffect(() => {
    if (preset === "" || !sendable) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      try {
        const { run, preflight } = await checkRun(request, stop.signal);
        setChecked({ run, preflight, problem: undefined, asking: false });
        if (preflight?.timing === TimingSource.MEASURING) askAfter(MEASURED_AFTER_MS);
      } catch (error) {
        if (stop.signal.aborted) return;
        setChecked((before) => ({ ...before, problem: asProblem(error), asking: false }));
      }
    };
    const askAfter = (ms: number) => {
      timer = setTimeout(() => void ask(), ms);
    };
    timer = setTimeout(() => {
      setChecked((before) => ({ ...before, asking: true }));
      void ask();
    }, TYPED_OUT_AFTER_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [request, preset, sendable]);
  return checked;
}
