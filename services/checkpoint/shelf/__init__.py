"""What is kept: the list of it, what is said about it, the trash, and whether it is still whole."""
