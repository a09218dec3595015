// Texts being written. Only the order is given here; the tokens arrive on the live channel of the same name.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { GenerateRequestSchema } from "@/gen/lab/v1/inference_service_pb";
import type { Generation } from "@/gen/lab/v1/live_pb";
import { CreateGenerationResponseSchema } from "@/gen/lab/v1/rest_pb";
import { request } from "./http";
import { required } from "./required";

export async function createGeneration(
  body: MessageInitShape<typeof GenerateRequestSchema>,
): Promise<Generation> {
  const answer = await request("POST", "/api/generations", CreateGenerationResponseSchema, {
    schema: GenerateRequestSchema,
    body: create(GenerateRequestSchema, body),
  });
  return required(answer.generation, "generation");
}

/** `name` is "generations/{generation}". What was written so far stays. */
export async function cancelGeneration(name: string): Promise<void> {
  await request("DELETE", `/api/${name}`, EmptySchema);
}
