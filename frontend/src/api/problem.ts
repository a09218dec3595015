// A refused or failed request as an exception: always carries a lab.v1.Problem that can be shown as it is.
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ProblemSchema, type Problem } from "@/gen/lab/v1/error_pb";

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ProblemError";
  }
}

/** The lab could not be reached at all. */
export function unreachable(instance: string): Problem {
  return create(ProblemSchema, {
    type: "/problems/unavailable",
    title: "The lab does not answer",
    detail: "Nothing was changed. Check that it is running (make ps), then try again.",
    instance,
    reason: "UNAVAILABLE",
  });
}

/** Whatever an error answer holds, as a Problem: the gateway's own, or a plain one for an answer from between. */
export async function readProblem(response: Response, instance: string): Promise<Problem> {
  const contentType = response.headers.get("content-type") ?? "";
  if (contentType.includes("json")) {
    try {
      const body = (await response.json()) as JsonValue;
      const problem = fromJson(ProblemSchema, body, { ignoreUnknownFields: true });
      if (problem.title !== "" || problem.detail !== "") return problem;
    } catch {
      // not a Problem; said below with the status
    }
  }
  return create(ProblemSchema, {
    type: "about:blank",
    title: `The lab answered ${response.status}`,
    status: response.status,
    detail: `The answer to ${instance} held no explanation. The gateway's log may have one (make logs).`,
    instance,
    reason: response.status >= 500 ? "INTERNAL" : "MALFORMED",
  });
}

/** Any caught value as a Problem, for notices. */
export function asProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return create(ProblemSchema, {
    type: "about:blank",
    title: "Something went wrong in the dashboard",
    detail: error instanceof Error ? error.message : String(error),
    reason: "INTERNAL",
  });
}
