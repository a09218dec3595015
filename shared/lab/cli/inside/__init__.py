"""What goes on inside a model: one command per question, each as a table, CSV, PNG or tensors."""
