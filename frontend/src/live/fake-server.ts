// A gateway in the test's own process: speaks the real protocol in real binary frames, keeps channels with positions, can
// break lines and repeat itself. For tests only.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ServerFrameSchema,
  StreamPositionSchema,
  type ClientFrame,
  type PublicationSchema,
  type SnapshotSchema,
  type ServerMessageSchema,
} from "@/gen/lab/v1/live_pb";
import type { RawSocket } from "./socket";

type Message = MessageInitShape<typeof ServerMessageSchema>;
type Payload = MessageInitShape<typeof PublicationSchema>["payload"];
type State = MessageInitShape<typeof SnapshotSchema>["state"];

interface FakeChannel {
  epoch: string;
  history: Payload[];
  /** Offsets up to this one can no longer be replayed. */
  forgotten: number;
  state: () => State;
}

/** The browser's end of one connection. */
class FakeSocket implements RawSocket {
  binaryType = "blob";
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly received: ClientFrame[] = [];
  private frame = 0n;
  private readonly ids = new Map<string, number>();

  constructor(private readonly server: FakeServer) {}

  send(data: Uint8Array): void {
    const frame = fromBinary(ClientFrameSchema, data);
    this.received.push(frame);
    const { id, message } = frame;
    if (message.case === "hello") {
      this.say({ replyTo: id, message: { case: "welcome", value: { session: "s", protocol: 1 } } });
    } else if (message.case === "subscribe") {
      this.join(id, message.value.channel, message.value.since);
    } else if (message.case === "unsubscribe") {
      this.ids.delete(message.value.channel);
    }
  }

  close(code = 1000, reason = ""): void {
    this.lose(code, reason);
  }

  /** Ends the connection as seen from the browser. */
  lose(code: number, reason = ""): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.server.sockets.delete(this);
    this.onclose?.({ code, reason });
  }

  say(...messages: Message[]): void {
    this.frame += 1n;
    const frame = create(ServerFrameSchema, { frame: this.frame, messages });
    const bytes = toBinary(ServerFrameSchema, frame);
    this.onmessage?.({
      data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    });
  }

  publish(name: string, offset: number, payload: Payload): void {
    const channelId = this.ids.get(name);
    if (channelId === undefined) return;
    const value = { offset: BigInt(offset), payload };
    this.say({ channelId, message: { case: "publication", value } });
  }

  snapshot(name: string): void {
    const channelId = this.ids.get(name);
    const channel = this.server.channels.get(name);
    if (channelId === undefined || !channel) return;
    const position = { epoch: channel.epoch, offset: BigInt(channel.history.length) };
    this.say({
      channelId,
      message: { case: "snapshot", value: { position, state: channel.state() } },
    });
  }

  private join(id: number, name: string, since: { epoch: string; offset: bigint } | undefined) {
    const channel = this.server.channels.get(name);
    if (!channel) {
      const value = { title: "Nothing has that name", detail: name, reason: "NOT_FOUND" };
      this.say({ replyTo: id, message: { case: "problem", value } });
      return;
    }
    const channelId = this.server.nextChannelId();
    this.ids.set(name, channelId);
    const recovered = since?.epoch === channel.epoch && Number(since.offset) >= channel.forgotten;
    const position = create(StreamPositionSchema, {
      epoch: channel.epoch,
      offset: BigInt(channel.history.length),
    });
    const value = { channel: name, channelId, position, recovered };
    this.say({ replyTo: id, channelId, message: { case: "subscribed", value } });
    if (!recovered) this.snapshot(name);
    else {
      for (let offset = Number(since.offset) + 1; offset <= channel.history.length; offset += 1) {
        const payload = channel.history[offset - 1];
        if (payload) this.publish(name, offset, payload);
      }
    }
  }
}

export class FakeServer {
  readonly channels = new Map<string, FakeChannel>();
  readonly sockets = new Set<FakeSocket>();
  /** Every connection there ever was. */
  readonly connections: FakeSocket[] = [];
  /** While false, connections fail before they open. */
  up = true;
  private channelIds = 0;

  readonly open = (): RawSocket => {
    const socket = new FakeSocket(this);
    this.connections.push(socket);
    queueMicrotask(() => {
      if (!this.up) {
        socket.lose(1006);
        return;
      }
      this.sockets.add(socket);
      socket.readyState = 1;
      socket.onopen?.();
    });
    return socket;
  };

  addChannel(name: string, state: () => State, epoch = "e1"): FakeChannel {
    const channel = { epoch, history: [], forgotten: 0, state };
    this.channels.set(name, channel);
    return channel;
  }

  publish(name: string, payload: Payload): number {
    const channel = this.channels.get(name);
    if (!channel) throw new Error(`no channel ${name}`);
    channel.history.push(payload);
    for (const socket of this.sockets) socket.publish(name, channel.history.length, payload);
    return channel.history.length;
  }

  nextChannelId(): number {
    this.channelIds += 1;
    return this.channelIds;
  }

  /** Breaks every line. */
  drop(code = 1006, reason = ""): void {
    for (const socket of [...this.sockets]) socket.lose(code, reason);
  }
}
