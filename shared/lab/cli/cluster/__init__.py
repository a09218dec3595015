"""`lab up`, `down`, `ps`, `logs` and `status`: the local cluster and how it is."""
