// The live client: keeps one socket open for ever. Messages wait for the apply phase of a frame and are acknowledged after
// it; what they mean for the channels is in subscriptions.ts.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ClientFrameSchema,
  type ServerFrame,
  type ServerMessage,
  type Welcome,
} from "@/gen/lab/v1/live_pb";
import type { FrameLoop } from "@/lib/frame";
import { clockSkewMs, LatencyWindow, type Connection } from "./connection";
import { closeReason, mayReconnect, reconnectDelayMs } from "./reconnect";
import { SilenceWatch } from "./silence";
import { FrameSocket, type OpenRawSocket } from "./socket";
import { Subscriptions, type ChannelSink, type Line, type Wish } from "./subscriptions";

export const PROTOCOL = 1;
const SILENCE_MS = 25_000; // two and a half of the server's heartbeats
// The server only needs to know that this page keeps up. Thirty answers a second from fifty pages would be half its work.
const ACK_EVERY_FRAMES = 8n;
const ACK_WITHIN_MS = 250;

export interface LiveClientOptions {
  url: string;
  openSocket: OpenRawSocket;
  frames: FrameLoop;
  now?: () => number;
  random?: () => number;
}

export class LiveClient implements Line {
  readonly latency = new LatencyWindow();
  /** Whether the server has said welcome on the present line. */
  ready = false;
  private connectionNow: Connection = { state: "connecting" };
  private readonly watchers = new Set<() => void>();
  private readonly subscriptions = new Subscriptions(this);
  private readonly silence: SilenceWatch;
  private inbox: ServerFrame[] = [];
  private socket: FrameSocket | undefined;
  private nextId = 1;
  private attempt = 0;
  private newestFrame = 0n;
  private ackedFrame = 0n;
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private large = false; // a snapshot came: the server may be waiting for room to go on
  private helloAtMs = 0;
  private clockSkewMs = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly now: () => number;
  private readonly random: () => number;
  private readonly settle = () => this.subscriptions.settle();

  constructor(private readonly options: LiveClientOptions) {
    this.now = options.now ?? Date.now;
    this.random = options.random ?? Math.random;
    this.silence = new SilenceWatch(SILENCE_MS, this.now, () => this.giveUp());
    options.frames.onApply(() => this.drain());
    options.frames.onAfter(() => this.acknowledge());
  }

  get connection(): Connection {
    return this.connectionNow;
  }

  watchConnection(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Connects now: the first time, after a refusal, or because waiting longer has no point. */
  connect(): void {
    if (this.socket) return;
    clearTimeout(this.retry);
    if (this.connectionNow.state === "refused") this.setConnection({ state: "connecting" });
    this.socket = new FrameSocket(this.options.url, this.options.openSocket, {
      opened: () => this.hello(),
      received: (frame) => this.receive(frame),
      closed: (code, reason) => this.lost(code, reason),
    });
    this.silence.heard();
  }

  /** The tab became visible or the network returned: do not sit out a long delay. */
  nudge(): void {
    if (this.connectionNow.state === "reconnecting") this.connect();
    else if (this.socket && this.silence.tooLong) this.giveUp();
  }

  /** Follows a channel until the returned function is called. */
  subscribe(name: string, sink: ChannelSink, wish: Wish = {}): () => void {
    return this.subscriptions.add(name, sink, wish);
  }

  send(message: MessageInitShape<typeof ClientFrameSchema>["message"]): number {
    const id = this.nextId;
    this.nextId += 1;
    this.socket?.send(create(ClientFrameSchema, { id, message }));
    return id;
  }

  arrived(happenedMs: number): void {
    this.latency.add(this.now() + this.clockSkewMs - happenedMs);
  }

  private giveUp(): void {
    this.socket?.close("nothing was heard for 25 s");
  }

  private hello(): void {
    this.nextId = 1;
    this.helloAtMs = this.now();
    this.send({ case: "hello", value: { protocol: PROTOCOL, client: "dashboard" } });
  }

  private receive(frame: ServerFrame): void {
    this.silence.heard();
    this.inbox.push(frame);
    this.options.frames.request();
  }

  private lost(code: number, reason: string): void {
    this.drain(); // what arrived before the end still counts
    this.socket = undefined;
    this.ready = false;
    this.newestFrame = this.ackedFrame = 0n;
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    this.silence.stop();
    this.subscriptions.lost();
    this.options.frames.aside(this.settle);
    const why = closeReason(code, reason);
    if (!mayReconnect(code)) {
      this.setConnection({ state: "refused", reason: why });
      return;
    }
    const delayMs = reconnectDelayMs(this.attempt, this.random());
    this.attempt += 1;
    const before = this.connectionNow;
    this.setConnection({
      state: "reconnecting",
      reason: why,
      staleSinceMs: before.state === "reconnecting" ? before.staleSinceMs : this.now(),
      nextTryAtMs: this.now() + delayMs,
    });
    this.retry = setTimeout(() => this.connect(), delayMs);
  }

  private drain(): void {
    if (this.inbox.length === 0) return;
    const frames = this.inbox;
    this.inbox = [];
    for (const frame of frames) {
      for (const message of frame.messages) this.take(message);
      if (frame.frame > this.newestFrame) this.newestFrame = frame.frame;
    }
    this.options.frames.aside(this.settle);
  }

  private acknowledge(): void {
    const owed = this.newestFrame - this.ackedFrame;
    if (owed <= 0n || !this.ready) return;
    if (owed >= ACK_EVERY_FRAMES || this.large) this.sendAck();
    else this.ackTimer ??= setTimeout(() => this.sendAck(), ACK_WITHIN_MS);
  }

  private sendAck(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    this.large = false;
    this.ackedFrame = this.newestFrame;
    this.send({ case: "ack", value: { frame: this.newestFrame } });
  }

  private take(message: ServerMessage): void {
    const { message: said, channelId, replyTo } = message;
    switch (said.case) {
      case "welcome":
        this.welcomed(said.value);
        break;
      case "subscribed":
        this.subscriptions.joined(replyTo, said.value);
        break;
      case "snapshot":
        this.subscriptions.snapshot(channelId, said.value);
        this.large = true;
        break;
      case "publication":
        this.subscriptions.publication(channelId, said.value);
        break;
      case "unsubscribed":
        this.subscriptions.ended(channelId);
        break;
      case "problem":
        this.subscriptions.refused(message, said.value);
        break;
      case "conflated": // a snapshot follows and makes it whole again
      case "heartbeat": // being heard was enough
      case undefined: // something newer than this page
    }
  }

  private welcomed({ session, serverTime }: Welcome): void {
    this.clockSkewMs = serverTime
      ? clockSkewMs(timestampMs(serverTime), this.helloAtMs, this.now())
      : 0;
    this.ready = true;
    this.attempt = 0; // on welcome, not on open: a server that refuses after opening is not back
    this.latency.clear();
    this.setConnection({ state: "live", session });
    this.subscriptions.askAll();
  }

  private setConnection(connection: Connection): void {
    this.connectionNow = connection;
    for (const watcher of this.watchers) watcher();
  }
}
