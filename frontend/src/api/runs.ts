// The runs of the lab: everything the dashboard asks of them and tells them to do.
import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { queryOptions } from "@tanstack/react-query";
import {
  AdvanceRunRequestSchema,
  AdvanceRunResponseSchema,
  CreateRunRequestSchema,
  CreateRunResponseSchema,
  DeleteRunResponseSchema,
  GetQueueResponseSchema,
  GetRunResponseSchema,
  ListFactsResponseSchema,
  ListRunsResponseSchema,
  PauseRunResponseSchema,
  PeekRunResponseSchema,
  QuerySeriesResponseSchema,
  RestoreRunResponseSchema,
  ResumeRunResponseSchema,
  SnapshotRunResponseSchema,
  StopRunRequestSchema,
  StopRunResponseSchema,
  UpdateRunRequestSchema,
  UpdateRunResponseSchema,
  type CreateRunRequest,
  type CreateRunResponse,
  type QueuedRun,
} from "@/gen/lab/v1/trainer_service_pb";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { RunTextSchema } from "@/gen/lab/v1/rest_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import type { RunSpec } from "@/gen/lab/v1/run_spec_pb";
import type { SeriesSet } from "@/gen/lab/v1/series_pb";
import { request } from "./http";
import { required } from "./required";

/** `name` is "runs/{run}" everywhere below. */
export async function getRun(name: string, signal?: AbortSignal): Promise<Run> {
  const answer = await request("GET", `/api/${name}`, GetRunResponseSchema, { signal });
  return required(answer.run, "run");
}

export function runQuery(name: string) {
  return queryOptions({
    queryKey: ["run", name],
    queryFn: ({ signal }) => getRun(name, signal),
  });
}

export async function createRun(
  body: MessageInitShape<typeof CreateRunRequestSchema>,
  signal?: AbortSignal,
): Promise<Run> {
  const answer = await request("POST", "/api/runs", CreateRunResponseSchema, {
    schema: CreateRunRequestSchema,
    body: create(CreateRunRequestSchema, body),
    signal,
  });
  return required(answer.run, "run");
}

/** Whether the run could start, and what it would take. Creates nothing. */
export async function checkRun(
  body: CreateRunRequest,
  signal?: AbortSignal,
): Promise<CreateRunResponse> {
  const question = clone(CreateRunRequestSchema, body);
  question.validateOnly = true;
  return request("POST", "/api/runs", CreateRunResponseSchema, {
    schema: CreateRunRequestSchema,
    body: question,
    signal,
  });
}

/** What a YAML text asks for: a preset, and a spec whole or partial. */
export async function runFromYaml(yaml: string): Promise<CreateRunRequest> {
  return request("POST", "/api/runs:fromYaml", CreateRunRequestSchema, {
    schema: RunTextSchema,
    body: create(RunTextSchema, { yaml }),
  });
}

export async function runToYaml(preset: string, spec: RunSpec): Promise<string> {
  const answer = await request("POST", "/api/runs:toYaml", RunTextSchema, {
    schema: CreateRunRequestSchema,
    body: create(CreateRunRequestSchema, { preset, overrides: spec }),
  });
  return answer.yaml;
}

export interface RunChange {
  displayName?: string;
  notes?: string;
  tags?: { tags: string[] };
  /** Only what is given changes, from the next step on. */
  live?: {
    learningRateScale?: number;
    sampleEvery?: number;
    samplePrompts?: { prompts: string[] };
    checkpointEvery?: number;
    checkpointMinutes?: number;
    checkpointLogSpaced?: boolean;
    checkpointBest?: boolean;
    checkpointOnStop?: boolean;
  };
}

export async function updateRun(name: string, change: RunChange): Promise<Run> {
  const answer = await request("PATCH", `/api/${name}`, UpdateRunResponseSchema, {
    schema: UpdateRunRequestSchema,
    body: create(UpdateRunRequestSchema, change),
  });
  return required(answer.run, "run");
}

/** Moves it to the trash, its checkpoints with it; the run as it is there, undefined when the lab keeps no trash. */
export async function deleteRun(name: string): Promise<Run | undefined> {
  return (await request("DELETE", `/api/${name}`, DeleteRunResponseSchema)).run;
}

/** Out of the trash, and not to be had again. */
export async function deleteRunForGood(name: string): Promise<void> {
  await request("DELETE", `/api/${name}`, DeleteRunResponseSchema, {
    query: { permanently: "true" },
  });
}

export async function restoreRun(name: string): Promise<Run> {
  const answer = await request("POST", `/api/${name}:restore`, RestoreRunResponseSchema);
  return required(answer.run, "run");
}

export async function listTrashedRuns(signal?: AbortSignal): Promise<Run[]> {
  const query = { trashed: "true", pageSize: 1_000 };
  return (await request("GET", "/api/runs", ListRunsResponseSchema, { query, signal })).runs;
}

/** Who waits for a slot, first in line first. */
export async function getQueue(signal?: AbortSignal): Promise<QueuedRun[]> {
  return (await request("GET", "/api/runs:queue", GetQueueResponseSchema, { signal })).runs;
}

export async function pauseRun(name: string): Promise<Run> {
  return required((await request("POST", `/api/${name}:pause`, PauseRunResponseSchema)).run, "run");
}

export async function resumeRun(name: string): Promise<Run> {
  const answer = await request("POST", `/api/${name}:resume`, ResumeRunResponseSchema);
  return required(answer.run, "run");
}

export async function advanceRun(name: string, steps: number): Promise<Run> {
  const answer = await request("POST", `/api/${name}:advance`, AdvanceRunResponseSchema, {
    schema: AdvanceRunRequestSchema,
    body: create(AdvanceRunRequestSchema, { steps }),
  });
  return required(answer.run, "run");
}

/** Without `save` the run's own checkpoint_on_stop decides. */
export async function stopRun(name: string, save?: boolean): Promise<Run> {
  const answer = await request("POST", `/api/${name}:stop`, StopRunResponseSchema, {
    schema: StopRunRequestSchema,
    body: create(StopRunRequestSchema, save === undefined ? {} : { save }),
  });
  return required(answer.run, "run");
}

export async function snapshotRun(name: string): Promise<Checkpoint> {
  const answer = await request("POST", `/api/${name}:snapshot`, SnapshotRunResponseSchema);
  return required(answer.checkpoint, "checkpoint");
}

export async function peekRun(name: string, signal?: AbortSignal): Promise<Checkpoint> {
  const answer = await request("POST", `/api/${name}:peek`, PeekRunResponseSchema, { signal });
  return required(answer.peek, "peek");
}

export async function querySeries(
  name: string,
  range: {
    series?: string[];
    stepFrom?: number;
    stepTo?: number;
    maxPoints?: number;
    /** Means of every so many steps, instead of points. */
    meanOfSteps?: number;
  },
  signal?: AbortSignal,
) {
  const answer = await request("GET", `/api/${name}/series`, QuerySeriesResponseSchema, {
    query: range,
    binary: true, // thousands of numbers, many times
    signal,
  });
  return required(answer.series, "series");
}

/** What the runs it was forked from recorded up to the fork: the parent first, then its parent; without the deleted. */
export async function queryInherited(
  name: string,
  range: { series?: string[]; stepFrom?: number; stepTo?: number; maxPoints?: number },
  signal?: AbortSignal,
): Promise<readonly SeriesSet[]> {
  const answer = await request("GET", `/api/${name}/series`, QuerySeriesResponseSchema, {
    query: { ...range, inherited: "true" },
    binary: true,
    signal,
  });
  return answer.inherited;
}

export async function listFacts(
  name: string,
  options: { kinds?: string[]; limit?: number } = {},
  signal?: AbortSignal,
) {
  const answer = await request("GET", `/api/${name}/facts`, ListFactsResponseSchema, {
    query: options,
    signal,
  });
  return answer.events;
}
