"""The checkpoint service is small: it must never load torch or numpy."""

import subprocess
import sys


def test_the_service_loads_neither_torch_nor_numpy() -> None:
    program = "import services.checkpoint.service, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = set(ran.stdout.split())
    assert "services.checkpoint.intake.blobs" in modules
    assert not modules & {"torch", "numpy", "safetensors"}
