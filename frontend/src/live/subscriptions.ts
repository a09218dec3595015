// The channels that are followed: who listens, where each one stands in its history, and what to ask for after a break.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Problem } from "@/gen/lab/v1/error_pb";
import type {
  ClientFrameSchema,
  Publication,
  ServerMessage,
  Snapshot,
  StreamPosition,
  Subscribed,
} from "@/gen/lab/v1/live_pb";

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

interface Subscription {
  readonly name: string;
  readonly sinks: Set<ChannelSink>;
  /** The most that any of its sinks wants. */
  maxPoints: number;
  position: StreamPosition | undefined;
  /** Publications up to this offset are old news: they say nothing about how quick the line is. */
  backlogTo: bigint;
  channelId: number;
  requestId: number;
  status: ChannelStatus;
  retry: ReturnType<typeof setTimeout> | undefined;
  /** Whether it is about to be asked for. */
  due: boolean;
}

export interface Wish {
  /** For series: points per metric in the snapshot. */
  maxPoints?: number | undefined;
  /** No state is needed, only what happens from now on. */
  newsOnly?: boolean | undefined;
}

/** The line to the gateway, as far as subscriptions need it. */
export interface Line {
  readonly ready: boolean;
  /** Sends a message; answers the id it went out under. */
  send(message: MessageInitShape<typeof ClientFrameSchema>["message"]): number;
  /** A fact that happened at this time of the server's clock arrived just now. */
  arrived(happenedMs: number): void;
}

export class Subscriptions {
  private readonly byName = new Map<string, Subscription>();
  private readonly byChannelId = new Map<number, Subscription>();
  private readonly touched = new Set<ChannelSink>();

  constructor(private readonly line: Line) {}

  /** Follows a channel until the returned function is called. */
  add(name: string, sink: ChannelSink, { maxPoints = 0, newsOnly = false }: Wish): () => void {
    const known = this.byName.get(name);
    const subscription = known ?? newSubscription(name);
    const coming = subscription.status === "waiting" && maxPoints <= subscription.maxPoints;
    subscription.sinks.add(sink);
    subscription.maxPoints = Math.max(subscription.maxPoints, maxPoints);
    if (newsOnly && subscription.status === "live") {
      sink.status("live");
      sink.settled();
    } else if (known && !coming) {
      // A latecomer needs the whole state, unless nobody has it yet. A new subscription brings everyone a fresh snapshot.
      this.leave(subscription);
      subscription.position = undefined;
    }
    this.byName.set(name, subscription);
    if (subscription.requestId === 0) this.askSoon(subscription);
    return () => {
      subscription.sinks.delete(sink);
      this.touched.delete(sink);
      if (subscription.sinks.size > 0 || this.byName.get(name) !== subscription) return;
      clearTimeout(subscription.retry);
      this.leave(subscription);
      this.byName.delete(name);
    };
  }

  /** On a new line: asks for every channel, from where it stands. */
  askAll(): void {
    for (const subscription of this.byName.values()) this.ask(subscription);
  }

  /** The line is gone. */
  lost(): void {
    this.byChannelId.clear();
    for (const subscription of this.byName.values()) {
      subscription.channelId = 0;
      subscription.requestId = 0;
      if (subscription.status === "live") this.setStatus(subscription, "stale");
    }
  }

  /** Tells everyone who was told something that this was all for now. */
  settle(): void {
    const sinks = [...this.touched];
    this.touched.clear();
    for (const sink of sinks) sink.settled();
  }

  joined(replyTo: number, subscribed: Subscribed): void {
    const subscription = this.byName.get(subscribed.channel);
    if (subscription?.requestId !== replyTo) return; // the answer to an older question
    this.byChannelId.delete(subscription.channelId);
    subscription.channelId = subscribed.channelId;
    this.byChannelId.set(subscribed.channelId, subscription);
    subscription.backlogTo = subscribed.position?.offset ?? 0n;
    if (subscribed.recovered) this.setStatus(subscription, "live");
    else subscription.position = undefined; // the snapshot brings the new one
  }

  snapshot(channelId: number, snapshot: Snapshot): void {
    const subscription = this.byChannelId.get(channelId);
    if (!subscription) return; // of a subscription that was given up meanwhile
    subscription.position = snapshot.position;
    for (const sink of subscription.sinks) {
      sink.snapshot(snapshot);
      this.touched.add(sink);
    }
    this.setStatus(subscription, "live");
  }

  publication(channelId: number, publication: Publication): void {
    const subscription = this.byChannelId.get(channelId);
    if (!subscription) return;
    const { position, backlogTo } = subscription;
    const { offset, payload } = publication;
    if (position && offset !== 0n) {
      if (offset <= position.offset) return; // seen before
      position.offset = offset;
    }
    if (offset > backlogTo && payload.case === "event" && payload.value.time) {
      this.line.arrived(timestampMs(payload.value.time));
    }
    for (const sink of subscription.sinks) {
      sink.publication(publication);
      this.touched.add(sink);
    }
  }

  /** The server no longer tells of a channel: what it was about is gone. */
  ended(channelId: number): void {
    const subscription = this.byChannelId.get(channelId);
    if (!subscription) return;
    this.byChannelId.delete(channelId);
    subscription.channelId = 0;
    subscription.requestId = 0;
    this.setStatus(subscription, "refused");
  }

  refused({ replyTo, channelId }: ServerMessage, problem: Problem): void {
    const subscription =
      this.byChannelId.get(channelId) ??
      [...this.byName.values()].find((one) => replyTo !== 0 && one.requestId === replyTo);
    if (!subscription) return;
    this.setStatus(subscription, "refused", problem);
    if (problem.reason !== "UNAVAILABLE" && problem.reason !== "DEADLINE") return;
    clearTimeout(subscription.retry);
    subscription.retry = setTimeout(() => {
      if (subscription.channelId === 0) this.ask(subscription);
    }, REFUSED_RETRY_MS);
  }

  /** One question for all who come in the same moment, as the panels of a page do. */
  private askSoon(subscription: Subscription): void {
    if (subscription.due) return;
    subscription.due = true;
    queueMicrotask(() => {
      const wanted = subscription.due && this.byName.get(subscription.name) === subscription;
      if (wanted) this.ask(subscription);
    });
  }

  private ask(subscription: Subscription): void {
    subscription.due = false;
    if (!this.line.ready) return;
    const { name: channel, position: since, maxPoints } = subscription;
    const value = { channel, maxPoints, ...(since && { since }) };
    subscription.requestId = this.line.send({ case: "subscribe", value });
  }

  private leave(subscription: Subscription): void {
    if (subscription.channelId !== 0 || subscription.requestId !== 0) {
      this.line.send({ case: "unsubscribe", value: { channel: subscription.name } });
    }
    this.byChannelId.delete(subscription.channelId);
    subscription.channelId = 0;
    subscription.requestId = 0;
  }

  private setStatus(subscription: Subscription, status: ChannelStatus, problem?: Problem): void {
    subscription.status = status;
    for (const sink of subscription.sinks) {
      sink.status(status, problem);
      this.touched.add(sink);
    }
  }
}

function newSubscription(name: string): Subscription {
  return {
    name,
    sinks: new Set(),
    maxPoints: 0,
    position: undefined,
    backlogTo: 0n,
    channelId: 0,
    requestId: 0,
    status: "waiting",
    retry: undefined,
    due: false,
  };
}
