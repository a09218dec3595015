"""Which process calls which, as the processes themselves have counted it."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cluster import Cluster, until

pytestmark = pytest.mark.e2e

# The architecture: who calls whom over gRPC. Facts travel the other way, over NATS.
EDGES = {
    ("gateway", "trainer"),
    ("gateway", "checkpoint"),
    ("gateway", "inference"),
    ("trainer", "checkpoint"),
    ("inference", "checkpoint"),
    # `lab` and programs that use lab.client speak to the services directly.
    ("client", "trainer"),
    ("client", "checkpoint"),
    ("client", "inference"),
}


def seen(cluster: Cluster) -> set[tuple[str, str]]:
    """(caller, called) of every RPC answered since the processes started."""
    edges = set()
    for called, port in cluster.metrics_ports.items():
        page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == "lab_rpc_total":
                    edges.add((sample.labels["caller"], called))
    return edges


def test_services_call_one_another_along_these_edges_only(cluster: Cluster) -> None:
    """A run that saves, its weights looked into: all the calls there are to make."""
    run_id = cluster.start_run(
        model={"layers": 1, "width": 32, "heads": 2, "context": 32},
        budget={"steps": 3, "batch": 2},
        hooks={"checkpointOnStop": True},
    )
    until(lambda: cluster.run(run_id).get("endTime"), secs=60, what="the run ended")
    until(lambda: _saved(cluster, run_id), secs=60, what="its checkpoint is listed")
    cluster.lab("generate", run_id, "--prompt", "To be", "--max-tokens", "2")
    cluster.lab("runs", "list")
    assert cluster.http.get("/api/models").is_success

    assert seen(cluster) == EDGES


def _saved(cluster: Cluster, run_id: str) -> bool:
    listed = cluster.http.get(f"/api/runs/{run_id}/checkpoints").json()
    return bool(listed.get("checkpoints")) and run_id in cluster.lab("checkpoints", "list").stdout
