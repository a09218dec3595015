"""REST: one router per resource, bodies are lab.v1 messages as ProtoJSON."""
