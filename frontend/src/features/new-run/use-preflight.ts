// Asks the server whether the run could start as it stands: the resolved spec and its sizes, or every violation.
import { clone } from "@bufbuild/protobuf";
import { useEffect, useState } from "react";
import { asProblem } from "@/api/problem";
import { createRun } from "@/api/runs";
import type { Problem } from "@/gen/lab/v1/error_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import { CreateRunRequestSchema, type CreateRunRequest } from "@/gen/lab/v1/trainer_service_pb";

const TYPED_OUT_AFTER_MS = 250;

export interface Preflight {
  /** The run as it would be; the last good one stays while a newer question is open. */
  run: Run | undefined;
  problem: Problem | undefined;
  asking: boolean;
}

export function usePreflight(request: CreateRunRequest, sendable: boolean): Preflight {
  const [preflight, setPreflight] = useState<Preflight>({
    run: undefined,
    problem: undefined,
    asking: false,
  });
  const { preset } = request;
  useEffect(() => {
    if (preset === "" || !sendable) return;
    const stop = new AbortController();
    const ask = async () => {
      setPreflight((before) => ({ ...before, asking: true }));
      try {
        const question = clone(CreateRunRequestSchema, request);
        question.validateOnly = true;
        const run = await createRun(question, stop.signal);
        setPreflight({ run, problem: undefined, asking: false });
      } catch (error) {
        if (stop.signal.aborted) return;
        setPreflight((before) => ({ ...before, problem: asProblem(error), asking: false }));
      }
    };
    const timer = setTimeout(() => void ask(), TYPED_OUT_AFTER_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [request, preset, sendable]);
  return preflight;
}
