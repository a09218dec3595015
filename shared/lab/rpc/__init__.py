"""gRPC the lab's way: one server set-up, one channel set-up, one translation of errors."""
