"""`lab train`: a training here and now, without a cluster."""
