"""What comes in: checked before and while it is taken, staged, and there by one rename."""
