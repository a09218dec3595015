// Saved states: listed, hashed again, pinned, moved to the trash and back.
import { create } from "@bufbuild/protobuf";
import {
  DeleteCheckpointResponseSchema,
  GetDiskUseResponseSchema,
  ListCheckpointsResponseSchema,
  RestoreCheckpointResponseSchema,
  UpdateCheckpointRequestSchema,
  UpdateCheckpointResponseSchema,
  VerifyCheckpointResponseSchema,
  type GetDiskUseResponse,
  type VerifyCheckpointResponse,
} from "@/gen/lab/v1/checkpoint_service_pb";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { request } from "./http";
import { required } from "./required";

/** Key of every query about checkpoints. */
export const CHECKPOINTS = ["checkpoints"] as const;

/** All checkpoints of all runs, newest first; or those in the trash. */
export async function listCheckpoints(
  signal: AbortSignal,
  { trashed = false }: { trashed?: boolean } = {},
): Promise<Checkpoint[]> {
  const all: Checkpoint[] = [];
  let pageToken: string | undefined;
  do {
    const page = await request("GET", "/api/checkpoints", ListCheckpointsResponseSchema, {
      query: { pageToken, trashed: trashed ? "true" : undefined },
      signal,
    });
    all.push(...page.checkpoints);
    pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
  } while (pageToken !== undefined);
  return all;
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
