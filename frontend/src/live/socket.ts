// One WebSocket carrying lab.v1 frames in binary. Knows nothing of channels or of coming back.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ServerFrameSchema,
  type ClientFrame,
  type ServerFrame,
} from "@/gen/lab/v1/live_pb";

export const SUBPROTOCOL = "lab.v1";

/** The part of the browser's WebSocket that is used; tests bring their own. */
export interface RawSocket {
  binaryType: string;
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export type OpenRawSocket = (url: string, subprotocol: string) => RawSocket;

export interface SocketEvents {
  opened(): void;
  received(frame: ServerFrame): void;
  closed(code: number, reason: string): void;
}

const OPEN = 1;

export class FrameSocket {
  private readonly raw: RawSocket;
  private over = false;

  constructor(
    url: string,
    open: OpenRawSocket,
    private readonly events: SocketEvents,
  ) {
    this.raw = open(url, SUBPROTOCOL);
    this.raw.binaryType = "arraybuffer";
    this.raw.onopen = () => {
      if (!this.over) events.opened();
    };
    this.raw.onmessage = ({ data }) => this.read(data);
    this.raw.onerror = null; // a close always follows and says more
    this.raw.onclose = ({ code, reason }) => this.end(code, reason);
  }

  send(frame: ClientFrame): void {
    if (this.raw.readyState === OPEN) {
      this.raw.send(toBinary(ClientFrameSchema, frame));
    }
  }

  /** Gives the connection up; `closed` is told at once, because a dead line may take minutes to say so. */
  close(reason: string): void {
    if (this.over) return;
    this.raw.close(1000, reason);
    this.end(1000, reason);
  }

  private read(data: unknown): void {
    if (this.over) return;
    let frame: ServerFrame;
    try {
      if (!(data instanceof ArrayBuffer)) throw new TypeError("not a binary frame");
      frame = fromBinary(ServerFrameSchema, new Uint8Array(data));
    } catch {
      // Losing one frame would be a silent gap. Start over instead: recovery fills what was missed.
      this.close("unreadable frame");
      return;
    }
    this.events.received(frame);
  }

  private end(code: number, reason: string): void {
    if (this.over) return;
    this.over = true;
    this.events.closed(code, reason);
  }
}
