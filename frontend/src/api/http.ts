// One REST request: lab.v1 messages in and out as ProtoJSON (or binary where asked), problems thrown as ProblemError.
import {
  fromBinary,
  fromJson,
  toJson,
  type DescMessage,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { ProblemError, readProblem, unreachable } from "./problem";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";
type QueryValue = string | number | readonly string[] | undefined;

export interface RequestOptions<In extends DescMessage> {
  /** What is sent: the schema of the body and the body. */
  schema?: In;
  body?: MessageShape<In>;
  query?: Record<string, QueryValue>;
  signal?: AbortSignal | undefined;
  /** Ask for a protobuf answer instead of JSON, for tensors. */
  binary?: boolean;
}

const PROTOBUF = "application/x-protobuf";

/** Sends a request to the gateway and reads the answer as `answer`. */
export async function request<Out extends DescMessage, In extends DescMessage = DescMessage>(
  method: Method,
  path: string,
  answer: Out,
  options: RequestOptions<In> = {},
): Promise<MessageShape<Out>> {
  const { schema, body, signal, binary = false } = options;
  const headers: Record<string, string> = { accept: binary ? PROTOBUF : "application/json" };
  // The gateway takes writes only with this header, which no foreign page can send without asking first.
  if (method !== "GET") headers["x-lab-client"] = "dashboard";
  let text: string | undefined;
  if (method === "POST" || method === "PATCH") {
    headers["content-type"] = "application/json";
    text = schema && body ? JSON.stringify(toJson(schema, body)) : "{}";
  }
  let response: Response;
  try {
    response = await fetch(path + queryString(options.query), {
      method,
      headers,
      ...(text !== undefined && { body: text }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ProblemError(unreachable(path));
  }
  if (!response.ok) throw new ProblemError(await readProblem(response, path));
  if (binary && (response.headers.get("content-type") ?? "").includes(PROTOBUF)) {
    return fromBinary(answer, new Uint8Array(await response.arrayBuffer()));
  }
  const json = response.status === 204 ? {} : ((await response.json()) as JsonValue);
  return fromJson(answer, json, { ignoreUnknownFields: true });
}

function queryString(query: Record<string, QueryValue> | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (typeof value === "object") for (const one of value) parameters.append(name, one);
    else parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
