// Saved states: listed, hashed again, pinned, forked, downloaded, moved to the trash and back.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  DeleteCheckpointResponseSchema,
  GetDiskUseResponseSchema,
  ListCheckpointsResponseSchema,
  RestoreCheckpointResponseSchema,
  UpdateCheckpointRequestSchema,
  UpdateCheckpointResponseSchema,
  VerifyCheckpointResponseSchema,
  type GetDiskUseResponse,
  type UnreadableCheckpoint,
  type VerifyCheckpointResponse,
} from "@/gen/lab/v1/checkpoint_service_pb";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import type { Run } from "@/gen/lab/v1/run_pb";
import { ForkRunRequestSchema, ForkRunResponseSchema } from "@/gen/lab/v1/trainer_service_pb";
import { request } from "./http";
import { required } from "./required";

/** Key of every query about checkpoints. */
export const CHECKPOINTS = ["checkpoints"] as const;
/** Of those about what is there: what holds the answer is a Shelf. */
export const SAVED = [...CHECKPOINTS, "saved"] as const;

const PAGE_SIZE = 1_000;

export interface Shelf {
  readonly checkpoints: readonly Checkpoint[];
  /** What lies under a checkpoint's name and is none. */
  readonly unreadable: readonly UnreadableCheckpoint[];
}

/** All checkpoints of all runs, newest first; or those in the trash. */
export async function listShelf(
  signal: AbortSignal,
  { trashed = false }: { trashed?: boolean } = {},
): Promise<Shelf> {
  const checkpoints: Checkpoint[] = [];
  const unreadable: UnreadableCheckpoint[] = [];
  let pageToken: string | undefined;
  do {
    const page = await request("GET", "/api/checkpoints", ListCheckpointsResponseSchema, {
      query: { pageToken, pageSize: PAGE_SIZE, trashed: trashed ? "true" : undefined },
      signal,
      binary: true, // each holds a whole spec
    });
    checkpoints.push(...page.checkpoints);
    unreadable.push(...page.unreadable);
    pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
  } while (pageToken !== undefined);
  return { checkpoints, unreadable };
}

/** The new run, which starts as the checkpoint is. */
export async function forkRun(body: MessageInitShape<typeof ForkRunRequestSchema>): Promise<Run> {
  const answer = await request("POST", "/api/runs:fork", ForkRunResponseSchema, {
    schema: ForkRunRequestSchema,
    body: create(ForkRunRequestSchema, body),
  });
  return required(answer.run, "run");
}

/** Where the browser downloads it from: the folder as a tar, or the weights alone. */
export function downloadAddress(name: string, as: "folder" | "weights"): string {
  return `/api/${name}:download?as=${as}`;
}

/** `name` is "runs/{run}/checkpoints/{checkpoint}" here and below. Reads every byte again, so it takes a moment. */
export function verifyCheckpoint(name: string): Promise<VerifyCheckpointResponse> {
  return request("POST", `/api/${name}:verify`, VerifyCheckpointResponseSchema);
}

export async function pinCheckpoint(name: string, pinned: boolean): Promise<Checkpoint> {
  const answer = await request("PATCH", `/api/${name}`, UpdateCheckpointResponseSchema, {
    schema: UpdateCheckpointRequestSchema,
    body: create(UpdateCheckpointRequestSchema, { pinned }),
  });
  return required(answer.checkpoint, "checkpoint");
}

/** Moves it to the trash, from where `restoreCheckpoint` takes it back. */
export async function deleteCheckpoint(name: string): Promise<void> {
  await request("DELETE", `/api/${name}`, DeleteCheckpointResponseSchema);
}

/** Out of the trash, and not to be had again. */
export async function deleteForGood(name: string): Promise<void> {
  await request("DELETE", `/api/${name}`, DeleteCheckpointResponseSchema, {
    query: { permanently: "true" },
  });
}

export async function restoreCheckpoint(name: string): Promise<Checkpoint> {
  const answer = await request("POST", `/api/${name}:restore`, RestoreCheckpointResponseSchema);
  return required(answer.checkpoint, "checkpoint");
}

export function getDiskUse(signal: AbortSignal): Promise<GetDiskUseResponse> {
  return request("GET", "/api/checkpoints:disk", GetDiskUseResponseSchema, { signal });
}
