// A channel's store: snapshot and publications folded by a reducer, shared by all who follow it the same way.
import type { Problem } from "@/gen/lab/v1/error_pb";
import type { Publication, Snapshot } from "@/gen/lab/v1/live_pb";
import type { LiveClient } from "./client";
import type { ChannelSink, ChannelStatus } from "./subscriptions";

/**
 * How a channel becomes a state. Define it once, at module level: its identity is part of the store's key. A reducer that
 * changes its state in place and returns the same object does not wake React; that is how hot data bypasses it.
 */
export interface ChannelReducer<State> {
  initial: () => State;
  snapshot: (state: State, snapshot: Snapshot) => State;
  publication: (state: State, publication: Publication) => State;
  /** For series: points per metric in the snapshot. */
  maxPoints?: number;
  /** It counts or collects what happens from now on; whoever is followed already is not asked for the state again. */
  newsOnly?: boolean;
}

export interface ChannelView<State> {
  state: State;
  status: ChannelStatus;
  /** Why it was refused. */
  problem: Problem | undefined;
}

// A page that is left and entered again, or mounted twice by StrictMode, finds its channel still followed.
const LINGER_MS = 5_000;

export class Channel<State> implements ChannelSink {
  private view: ChannelView<State>;
  private state: State;
  private readonly listeners = new Set<() => void>();
  private stop: (() => void) | undefined;
  private linger: ReturnType<typeof setTimeout> | undefined;
  private pending: { status: ChannelStatus; problem: Problem | undefined } = {
    status: "waiting",
    problem: undefined,
  };

  constructor(
    private readonly client: LiveClient,
    private readonly name: string,
    private readonly reducer: ChannelReducer<State>,
    private readonly onIdle: () => void,
  ) {
    this.state = reducer.initial();
    this.view = { state: this.state, status: "waiting", problem: undefined };
  }

  readonly getView = (): ChannelView<State> => this.view;

  readonly follow = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    clearTimeout(this.linger);
    this.stop ??= this.client.subscribe(this.name, this, this.reducer);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      this.linger = setTimeout(() => {
        this.stop?.();
        this.stop = undefined;
        this.status("waiting"); // what is held may be old by the time someone follows again
        this.settled();
        this.onIdle();
      }, LINGER_MS);
    };
  };

  snapshot(snapshot: Snapshot): void {
    this.state = this.reducer.snapshot(this.state, snapshot);
  }

  publication(publication: Publication): void {
    this.state = this.reducer.publication(this.state, publication);
  }

  status(status: ChannelStatus, problem?: Problem): void {
    if (status === this.pending.status && problem === this.pending.problem) return;
    this.pending = { status, problem };
  }

  settled(): void {
    const { status, problem } = this.pending;
    const { view } = this;
    if (view.state === this.state && view.status === status && view.problem === problem) return;
    this.view = { state: this.state, status, problem };
    for (const listener of this.listeners) listener();
  }
}

type StoresOfName = Map<ChannelReducer<never>, Channel<never>>;
type Stores = Map<string, StoresOfName>;
const storesOf = new WeakMap<LiveClient, Stores>();

/** The store of a channel, the same one for the same name and reducer. */
export function openChannel<State>(
  client: LiveClient,
  name: string,
  reducer: ChannelReducer<State>,
): Channel<State> {
  const stores: Stores = storesOf.get(client) ?? new Map<string, StoresOfName>();
  storesOf.set(client, stores);
  const siblings: StoresOfName = stores.get(name) ?? new Map<never, never>();
  stores.set(name, siblings);
  const key = reducer as unknown as ChannelReducer<never>;
  let channel = siblings.get(key) as Channel<State> | undefined;
  if (!channel) {
    channel = new Channel(client, name, reducer, () => siblings.delete(key));
    siblings.set(key, channel as unknown as Channel<never>);
  }
  return channel;
}
