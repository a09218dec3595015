"""What a run is: its state, its newest numbers, and both written down."""
