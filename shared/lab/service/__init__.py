"""How every process of the lab boots, says how it is, and stops."""
