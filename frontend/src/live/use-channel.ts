// The live client in React: the only file of live/ that knows React.
import { createContext, useCallback, useContext, useMemo, useSyncExternalStore } from "react";
import { openChannel, type ChannelReducer, type ChannelView } from "./channel";
import type { LiveClient } from "./client";
import type { Connection } from "./connection";

export const LiveContext = createContext<LiveClient | null>(null);

export function useLiveClient(): LiveClient {
  const client = useContext(LiveContext);
  if (!client) throw new Error("useChannel needs a LiveContext around it");
  return client;
}

/** Follows a channel while mounted; with `null` it follows none and the state is the initial one. */
export function useChannel<State>(
  name: string | null,
  reducer: ChannelReducer<State>,
): ChannelView<State> {
  const client = useLiveClient();
  const channel = useMemo(
    () => (name === null ? null : openChannel(client, name, reducer)),
    [client, name, reducer],
  );
  const idle = useMemo<ChannelView<State>>(
    () => ({ state: reducer.initial(), status: "waiting", problem: undefined }),
    [reducer],
  );
  const follow = useCallback(
    (listener: () => void) => channel?.follow(listener) ?? (() => undefined),
    [channel],
  );
  const getView = useCallback(() => channel?.getView() ?? idle, [channel, idle]);
  return useSyncExternalStore(follow, getView);
}

export function useConnection(): Connection {
  const client = useLiveClient();
  return useSyncExternalStore(
    useCallback((watcher: () => void) => client.watchConnection(watcher), [client]),
    () => client.connection,
  );
}
