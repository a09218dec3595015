// The live client: keeps one socket open for ever, follows channels over it, remembers where each one stands, and after a
// break asks for exactly what was missed. Messages wait for the apply phase of a frame and are acknowledged after it.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Problem } from "@/gen/lab/v1/error_pb";
import {
  ClientFrameSchema,
  type Publication,
  type ServerFrame,
  type ServerMessage,
  type Snapshot,
  type StreamPosition,
  type Subscribed,
} from "@/gen/lab/v1/live_pb";
import type { FrameLoop } from "@/lib/frame";
import { LatencyWindow, type Connection } from "./connection";
import { closeReason, mayReconnect, reconnectDelayMs } from "./reconnect";
import { FrameSocket, type OpenRawSocket } from "./socket";

export const PROTOCOL = 1;
const SILENCE_MS = 25_000; // two and a half of the server's heartbeats
const REFUSED_RETRY_MS = 3_000; // for refusals that say "unavailable": an owner is restarting

export type ChannelStatus = "waiting" | "live" | "stale" | "refused";

/** Whoever folds a channel's messages into a state. */
export interface ChannelSink {
  snapshot(snapshot: Snapshot): void;
  publication(publication: Publication): void;
  status(status: ChannelStatus, problem?: Problem): void;
  /** All messages of this frame were handed over. */
  settled(): void;
}

export interface LiveClientOptions {
  url: string;
  openSocket: OpenRawSocket;
  frames: FrameLoop;
  now?: () => number;
  random?: () => number;
}

interface Subscription {
  readonly name: string;
  /** The most that any of its sinks wants. */
  maxPoints: number;
  readonly sinks: Set<ChannelSink>;
  position: StreamPosition | undefined;
  /** Publications up to this offset are old news: they say nothing about how quick the line is. */
  backlogTo: bigint;
  channelId: number;
  requestId: number;
  status: ChannelStatus;
  retry: ReturnType<typeof setTimeout> | undefined;
}

export class LiveClient {
  readonly latency = new LatencyWindow();
  private connectionNow: Connection = { state: "connecting" };
  private readonly watchers = new Set<() => void>();
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly byChannelId = new Map<number, Subscription>();
  private readonly touched = new Set<ChannelSink>();
  private inbox: ServerFrame[] = [];
  private socket: FrameSocket | undefined;
  private welcomed = false;
  private nextId = 1;
  private attempt = 0;
  private newestFrame = 0n;
  private ackedFrame = 0n;
  private helloAtMs = 0;
  private clockSkewMs = 0;
  private lastHeardMs = 0;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly now: () => number;
  private readonly random: () => number;

  constructor(private readonly options: LiveClientOptions) {
    this.now = options.now ?? Date.now;
    this.random = options.random ?? Math.random;
    options.frames.onApply(() => this.drain());
    options.frames.onAfter(() => this.acknowledge());
  }

  /** Connects now: the first time, after a refusal, or because waiting longer has no point. */
  connect(): void {
    if (this.socket) return;
    clearTimeout(this.retry);
    this.retry = undefined;
    if (this.connectionNow.state === "refused") this.setConnection({ state: "connecting" });
    this.socket = new FrameSocket(this.options.url, this.options.openSocket, {
      opened: () => this.hello(),
      received: (frame) => this.receive(frame),
      closed: (code, reason) => this.lost(code, reason),
    });
    this.heard();
  }

  /** The tab became visible or the network returned: do not sit out a long delay. */
  nudge(): void {
    if (this.connectionNow.state === "reconnecting") this.connect();
    else if (this.socket && this.now() - this.lastHeardMs > SILENCE_MS) this.socket.close("silent");
  }

  get connection(): Connection {
    return this.connectionNow;
  }

  watchConnection(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Follows a channel until the returned function is called. */
  subscribe(name: string, sink: ChannelSink, maxPoints = 0): () => void {
    let subscription = this.subscriptions.get(name);
    if (subscription) {
      // A latecomer needs the whole state. A new subscription brings everyone a fresh snapshot.
      subscription.sinks.add(sink);
      subscription.maxPoints = Math.max(subscription.maxPoints, maxPoints);
      this.leave(subscription);
      subscription.position = undefined;
    } else {
      subscription = {
        name,
        maxPoints,
        sinks: new Set([sink]),
        position: undefined,
        backlogTo: 0n,
        channelId: 0,
        requestId: 0,
        status: "waiting",
        retry: undefined,
      };
      this.subscriptions.set(name, subscription);
    }
    const followed = subscription;
    this.ask(followed);
    return () => {
      followed.sinks.delete(sink);
      this.touched.delete(sink);
      if (followed.sinks.size > 0 || this.subscriptions.get(name) !== followed) return;
      clearTimeout(followed.retry);
      this.leave(followed);
      this.subscriptions.delete(name);
    };
  }

  private ask(subscription: Subscription): void {
    if (!this.welcomed) return;
    const { name: channel, position: since, maxPoints } = subscription;
    subscription.requestId = this.send({
      case: "subscribe",
      value: { channel, maxPoints, ...(since && { since }) },
    });
  }

  private leave(subscription: Subscription): void {
    if (subscription.channelId !== 0 || subscription.requestId !== 0) {
      this.send({ case: "unsubscribe", value: { channel: subscription.name } });
    }
    this.byChannelId.delete(subscription.channelId);
    subscription.channelId = 0;
    subscription.requestId = 0;
  }

  private send(message: MessageInitShape<typeof ClientFrameSchema>["message"]): number {
    const id = this.nextId;
    this.nextId += 1;
    this.socket?.send(create(ClientFrameSchema, { id, message }));
    return id;
  }

  private hello(): void {
    this.nextId = 1;
    this.helloAtMs = this.now();
    this.send({ case: "hello", value: { protocol: PROTOCOL, client: "dashboard" } });
  }

  private receive(frame: ServerFrame): void {
    this.heard();
    this.inbox.push(frame);
    this.options.frames.request();
  }

  private heard(): void {
    this.lastHeardMs = this.now();
    if (this.silence === undefined) this.watchSilence(SILENCE_MS);
  }

  // One timer that looks again, instead of one armed anew for each of thirty frames a second.
  private watchSilence(afterMs: number): void {
    this.silence = setTimeout(() => {
      this.silence = undefined;
      const leftMs = this.lastHeardMs + SILENCE_MS - this.now();
      if (!this.socket) return;
      if (leftMs <= 0) this.socket.close("nothing was heard for 25 s");
      else this.watchSilence(leftMs);
    }, afterMs);
  }

  private lost(code: number, reason: string): void {
    this.drain(); // what arrived before the end still counts
    this.socket = undefined;
    this.welcomed = false;
    this.newestFrame = 0n;
    this.ackedFrame = 0n;
    this.byChannelId.clear();
    clearTimeout(this.silence);
    this.silence = undefined;
    for (const subscription of this.subscriptions.values()) {
      subscription.channelId = 0;
      subscription.requestId = 0;
      if (subscription.status === "live") this.setStatus(subscription, "stale");
    }
    this.settle();
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
    this.settle();
  }

  private settle(): void {
    const sinks = [...this.touched];
    this.touched.clear();
    for (const sink of sinks) sink.settled();
  }

  private acknowledge(): void {
    if (this.newestFrame <= this.ackedFrame || !this.welcomed) return;
    this.ackedFrame = this.newestFrame;
    this.send({ case: "ack", value: { frame: this.newestFrame } });
  }

  private take(message: ServerMessage): void {
    const { message: said } = message;
    switch (said.case) {
      case "welcome": {
        const middleMs = (this.helloAtMs + this.now()) / 2;
        const serverMs = said.value.serverTime ? timestampMs(said.value.serverTime) : middleMs;
        this.clockSkewMs = serverMs - middleMs;
        this.welcomed = true;
        this.attempt = 0; // on welcome, not on open: a server that refuses after opening is not back
        this.latency.clear();
        this.setConnection({ state: "live", session: said.value.session });
        for (const subscription of this.subscriptions.values()) this.ask(subscription);
        return;
      }
      case "subscribed":
        this.joined(message.replyTo, said.value);
        return;
      case "problem":
        this.refused(message, said.value);
        return;
      case "snapshot":
      case "publication":
      case "unsubscribed": {
        const subscription = this.byChannelId.get(message.channelId);
        if (!subscription) return; // of a subscription that was given up meanwhile
        if (said.case === "snapshot") this.replace(subscription, said.value);
        else if (said.case === "publication") this.publish(subscription, said.value);
        else {
          this.byChannelId.delete(subscription.channelId);
          subscription.channelId = 0;
          subscription.requestId = 0;
          this.setStatus(subscription, "refused");
        }
        return;
      }
      case "conflated": // a snapshot follows and makes it whole again
      case "heartbeat": // being heard was enough
      case undefined: // something newer than this page
    }
  }

  private joined(replyTo: number, subscribed: Subscribed): void {
    const subscription = this.subscriptions.get(subscribed.channel);
    if (subscription?.requestId !== replyTo) return; // the answer to an older question
    this.byChannelId.delete(subscription.channelId);
    subscription.channelId = subscribed.channelId;
    this.byChannelId.set(subscribed.channelId, subscription);
    subscription.backlogTo = subscribed.position?.offset ?? 0n;
    if (subscribed.recovered) this.setStatus(subscription, "live");
    else subscription.position = undefined; // the snapshot brings the new one
  }

  private replace(subscription: Subscription, snapshot: Snapshot): void {
    subscription.position = snapshot.position;
    for (const sink of subscription.sinks) {
      sink.snapshot(snapshot);
      this.touched.add(sink);
    }
    this.setStatus(subscription, "live");
  }

  private publish(subscription: Subscription, publication: Publication): void {
    const { position } = subscription;
    if (position && publication.offset !== 0n) {
      if (publication.offset <= position.offset) return; // seen before
      position.offset = publication.offset;
    }
    const { payload } = publication;
    const fresh = publication.offset > subscription.backlogTo;
    if (fresh && payload.case === "event" && payload.value.time) {
      this.latency.add(this.now() + this.clockSkewMs - timestampMs(payload.value.time));
    }
    for (const sink of subscription.sinks) {
      sink.publication(publication);
      this.touched.add(sink);
    }
  }

  private refused(message: ServerMessage, problem: Problem): void {
    let subscription = this.byChannelId.get(message.channelId);
    if (!subscription && message.replyTo !== 0) {
      for (const one of this.subscriptions.values()) {
        if (one.requestId === message.replyTo) subscription = one;
      }
    }
    if (!subscription) return;
    const again = subscription;
    this.setStatus(again, "refused", problem);
    if (problem.reason !== "UNAVAILABLE" && problem.reason !== "DEADLINE") return;
    clearTimeout(again.retry);
    again.retry = setTimeout(() => {
      if (again.channelId === 0) this.ask(again);
    }, REFUSED_RETRY_MS);
  }

  private setStatus(subscription: Subscription, status: ChannelStatus, problem?: Problem): void {
    subscription.status = status;
    for (const sink of subscription.sinks) {
      sink.status(status, problem);
      this.touched.add(sink);
    }
  }

  private setConnection(connection: Connection): void {
    this.connectionNow = connection;
    for (const watcher of this.watchers) watcher();
  }
}
