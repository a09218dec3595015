// Saved states: listed, hashed again, removed.
import {
  DeleteCheckpointResponseSchema,
  ListCheckpointsResponseSchema,
  VerifyCheckpointResponseSchema,
  type VerifyCheckpointResponse,
} from "@/gen/lab/v1/checkpoint_service_pb";
import type { Checkpoint } from "@/gen/lab/v1/checkpoint_pb";
import { request } from "./http";

/** Key of every query about checkpoints. */
export const CHECKPOINTS = ["checkpoints"] as const;

/** All checkpoints of all runs, newest first. */
export async function listCheckpoints(signal: AbortSignal): Promise<Checkpoint[]> {
  const all: Checkpoint[] = [];
  let pageToken: string | undefined;
  do {
    const page = await request("GET", "/api/checkpoints", ListCheckpointsResponseSchema, {
      query: { pageToken },
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

export async function deleteCheckpoint(name: string): Promise<void> {
  await request("DELETE", `/api/${name}`, DeleteCheckpointResponseSchema);
}
