"""The lab from a program: `async with lab.client.connect() as lab: await lab.runs.create("nano")`.

Thin and typed over the gRPC stubs; whatever is refused or fails raises a LabError.
"""

from lab.client.addresses import Addresses
from lab.client.connection import Lab, connect

__all__ = ["Addresses", "Lab", "connect"]
