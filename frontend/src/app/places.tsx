// The places of the lab: address, word and icon of each.
import type { ReactNode } from "react";

export const PLACES: readonly { to: string; word: string; icon: ReactNode }[] = [
  { to: "/runs", word: "Runs", icon: <path d="M3 4c1 7 4 11 14 12M3 16h14" /> },
  {
    to: "/inside",
    word: "Inside",
    icon: <path d="M3 3h4v4H3zM8 8h4v4H8zM13 13h4v4h-4zM3 8h4v4H3zM3 13h4v4H3zM8 13h4v4H8z" />,
  },
  {
    to: "/checkpoints",
    word: "Saved",
    icon: <path d="M4 3h10l3 3v11H4zM7 3v5h6V3M7 17v-5h7v5" />,
  },
  { to: "/text", word: "Text", icon: <path d="M3 5h14M3 9h14M3 13h9M3 17h6" /> },
  {
    to: "/system",
    word: "System",
    icon: <path d="M10 3v5M10 8l-6 5M10 8l6 5M8 2h4v3H8zM2 13h4v4H2zM14 13h4v4h-4z" />,
  },
];
