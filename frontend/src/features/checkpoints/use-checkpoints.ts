// All checkpoints, the trash and the disk, read again whenever the live channel says that something about them changed.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CHECKPOINTS, SAVED, getDiskUse, listShelf, type Shelf } from "@/api/checkpoints";
import type { ChannelReducer } from "@/live/channel";
import { useChannel } from "@/live/use-channel";

/** Counts the news. A fact names a checkpoint but not its losses, so the list is asked for again. */
export const checkpointNews: ChannelReducer<number> = {
  initial: () => 0,
  snapshot: (count) => count + 1,
  publication: (count) => count + 1,
};

export function useCheckpoints() {
  return useSaved(useNews(), checkpointsOf);
}

/** Also what was deleted, and what all of it takes. */
export function useShelf() {
  const news = useNews();
  const saved = useSaved(news, allOf);
  const trash = useQuery({
    queryKey: [...CHECKPOINTS, "trash", news],
    queryFn: ({ signal }) => listShelf(signal, { trashed: true }),
    placeholderData: keepPreviousData,
  });
  const disk = useQuery({
    queryKey: [...CHECKPOINTS, "disk", news],
    queryFn: ({ signal }) => getDiskUse(signal),
    placeholderData: keepPreviousData,
  });
  return {
    checkpoints: saved.data?.checkpoints,
    unreadable: saved.data?.unreadable ?? [],
    trash: trash.data?.checkpoints ?? [],
    disk: disk.data,
    error: saved.error ?? trash.error ?? disk.error,
  };
}

function useNews(): number {
  return useChannel("checkpoints", checkpointNews).state;
}

function useSaved<T>(news: number, select: (shelf: Shelf) => T) {
  return useQuery({
    queryKey: [...SAVED, news],
    queryFn: ({ signal }) => listShelf(signal),
    placeholderData: keepPreviousData,
    select,
  });
}

function checkpointsOf({ checkpoints }: Shelf) {
  return checkpoints;
}

function allOf(shelf: Shelf) {
  return shelf;
}
