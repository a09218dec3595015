// Fetching what may soon be wanted, and giving up.
import type { QueryClient, QueryKey } from "@tanstack/react-query";

/** Fetching on a guess, until somebody says that it is of no use any more. */
export class Errand {
  private over = false;
  private underWay: QueryKey | null = null;

  constructor(readonly client: QueryClient) {}

  /** undefined when the errand is over. A failure ends it; it is told when the answer is needed, and asked for again. */
  async fetch<Data>(queryKey: QueryKey, start: () => Promise<Data>): Promise<Data | undefined> {
    if (this.isOver()) return undefined;
    this.underWay = queryKey;
    const data = await start();
    return this.isOver() ? undefined : data;
  }

  private isOver(): boolean {
    return this.over;
  }

  giveUp(): void {
    this.over = true;
    const { client, underWay } = this;
    if (underWay === null) return;
    // After the page has said what it needs now: what it waits for itself goes on.
    setTimeout(() => {
      if (client.getQueryCache().find({ queryKey: underWay })?.isActive() === false) {
        void client.cancelQueries({ queryKey: underWay, exact: true });
      }
    }, 0);
  }
}
