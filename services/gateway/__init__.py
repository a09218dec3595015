"""The gateway: REST, the one WebSocket and the dashboard, in front of the gRPC services."""
