// What stays while pages change: the bar of places, the line that says where we are and whether it is live.
import { Suspense } from "react";
import { Outlet } from "react-router";
import { BusNote } from "@/features/system/bus-note";
import { PlaceBar } from "./place-bar";
import styles from "./shell.module.css";
import { TopBar } from "./top-bar";

export function Shell() {
  return (
    <div className={styles["shell"]}>
      <a className={styles["skip"]} href="#page">
        Skip to the page
      </a>
      <PlaceBar />
      <TopBar />
      <main id="page" className={styles["page"]} tabIndex={-1}>
        <BusNote />
        <Suspense>
          <Outlet />
        </Suspense>
      </main>
    </div>
  );
}
