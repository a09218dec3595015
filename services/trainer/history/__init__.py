"""What is asked of journals: series, means, health, probe texts, a batch as text. Only reads."""
