"""What is recorded of a training besides its steps: each a function of the training as it is."""
