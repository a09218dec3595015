"""What goes out: files, and single tensors, of what is on the shelf."""
