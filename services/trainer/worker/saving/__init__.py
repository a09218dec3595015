"""Saves, from the live training to synced files in a folder, while the training goes on."""
