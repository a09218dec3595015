// What every test gets: React is told that it is being tested, and what a test rendered is removed after it.
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

// The default second is short for a machine that is busy with something else.
configure({ asyncUtilTimeout: 5_000 });

afterEach(cleanup);
