// What every test gets: React is told that it is being tested, and what a test rendered is removed after it.
import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

afterEach(cleanup);
