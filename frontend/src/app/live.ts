// The one live client of this tab, wired to the browser.
import { frames } from "@/lib/frame";
import { LiveClient } from "@/live/client";
import type { RawSocket } from "@/live/socket";

export function startLive(): LiveClient {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const client = new LiveClient({
    url: `${scheme}://${location.host}/api/live`,
    openSocket: (url, subprotocol) => new WebSocket(url, subprotocol) as RawSocket,
    frames,
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) client.nudge();
  });
  window.addEventListener("online", () => client.nudge());
  client.connect();
  return client;
}
