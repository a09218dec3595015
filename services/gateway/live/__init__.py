"""The one WebSocket: channels, snapshots, publications, recovery, back-pressure."""
