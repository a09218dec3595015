// All checkpoints, read again whenever the live channel says that something about them changed.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CHECKPOINTS, listCheckpoints } from "@/api/checkpoints";
import type { ChannelReducer } from "@/live/channel";
import { useChannel } from "@/live/use-channel";

/** Counts the news. A fact names a checkpoint but not its losses, so the list is asked for again. */
export const checkpointNews: ChannelReducer<number> = {
  initial: () => 0,
  snapshot: (count) => count + 1,
  publication: (count) => count + 1,
};

export function useCheckpoints() {
  const { state: news } = useChannel("checkpoints", checkpointNews);
  return useQuery({
    queryKey: [...CHECKPOINTS, news],
    queryFn: ({ signal }) => listCheckpoints(signal),
    placeholderData: keepPreviousData,
  });
}
