import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ProblemSchema } from "@/gen/lab/v1/error_pb";
import { FinishReason, GenerateResponseSchema } from "@/gen/lab/v1/inference_service_pb";
import { GenerationSchema, PublicationSchema, SnapshotSchema } from "@/gen/lab/v1/live_pb";
import {
  EMPTY_GENERATION,
  fromSnapshot,
  type GenerationState,
  isEnded,
  withPublication,
} from "./generation-state";

function token(index: number, text: string) {
  return create(GenerateResponseSchema, {
    index,
    token: { id: 100 + index, text },
    text,
    elapsedSecs: index / 10,
  });
}

function publication(index: number, text: string) {
  return create(PublicationSchema, {
    offset: BigInt(index + 1),
    payload: { case: "token", value: token(index, text) },
  });
}

function closing(index: number, finishReason: FinishReason, text = "") {
  return create(PublicationSchema, {
    payload: {
      case: "token",
      value: create(GenerateResponseSchema, { index, finishReason, text, elapsedSecs: 2.5 }),
    },
  });
}

const words = ["To", " be", " or", " not"];
const publications = words.map((word, index) => publication(index, word));

function writtenText(state: GenerationState): string {
  return state.tokens.map((token) => token.text).join("");
}

describe("a generation", () => {
  it("grows token by token and ends", () => {
    let state = publications.reduce(withPublication, EMPTY_GENERATION);
    expect(writtenText(state)).toBe("To be or not");
    expect(isEnded(state)).toBe(false);
    state = withPublication(state, closing(4, FinishReason.LENGTH));
    expect(isEnded(state)).toBe(true);
    expect(state.tokens).toHaveLength(4);
    expect(state.elapsedSecs).toBe(2.5);
  });

  it("takes duplicates once", () => {
    const doubled = [...publications.slice(0, 3), ...publications].reduce(
      withPublication,
      EMPTY_GENERATION,
    );
    expect(writtenText(doubled)).toBe("To be or not");
  });

  it("puts a late token in its place", () => {
    const [first, second, third, fourth] = publications;
    const shuffled = [first, third, second, fourth].flatMap((one) => one ?? []);
    expect(writtenText(shuffled.reduce(withPublication, EMPTY_GENERATION))).toBe("To be or not");
  });

  it("keeps text that was held back until the end", () => {
    let state = withPublication(EMPTY_GENERATION, publication(0, "caf"));
    state = withPublication(state, closing(1, FinishReason.LENGTH, "é"));
    expect(writtenText(state)).toBe("café");
    expect(isEnded(state)).toBe(true);
  });

  it("goes on from a snapshot, replaying what it already holds", () => {
    const snapshot = create(SnapshotSchema, {
      state: {
        case: "generation",
        value: create(GenerationSchema, { tokens: [token(0, "To"), token(1, " be")] }),
      },
    });
    const state = publications.reduce(withPublication, fromSnapshot(snapshot));
    expect(writtenText(state)).toBe("To be or not");
  });

  it("learns from a snapshot that all is over", () => {
    const ended = create(SnapshotSchema, {
      state: {
        case: "generation",
        value: create(GenerationSchema, {
          tokens: [token(0, "To")],
          finishReason: FinishReason.CANCELLED,
        }),
      },
    });
    expect(isEnded(fromSnapshot(ended))).toBe(true);
    expect(fromSnapshot(ended).finish).toBe(FinishReason.CANCELLED);
  });

  it("ends with a problem and keeps what was written", () => {
    const problem = create(ProblemSchema, { title: "The inference service is not there" });
    const state = withPublication(
      publications.reduce(withPublication, EMPTY_GENERATION),
      create(PublicationSchema, { payload: { case: "problem", value: problem } }),
    );
    expect(isEnded(state)).toBe(true);
    expect(state.problem?.title).toBe("The inference service is not there");
    expect(writtenText(state)).toBe("To be or not");
  });
});
