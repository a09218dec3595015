"""Who may import whom, as data. The syntax trees are walked, so nothing needs to be imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import folders

ROOT = folders.checkout()


@dataclass(frozen=True)
class Row:
    """`who` may import, of ours, only itself and `ours`; of others everything but `never`."""

    who: str
    ours: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


TORCH = ("torch", "safetensors", "transformers")
NUMBERS = (*TORCH, "numpy", "tiktoken")
GRPC = ("grpc", "grpc_health", "grpc_reflection", "grpc_status")
NATS = ("nats",)
ASYNC = ("asyncio",)
WEB = ("fastapi", "starlette", "uvicorn", "httpx", "orjson")
TERMINAL = ("typer", "rich")

# What every service may use, and what only some may.
CORE = (
    *("lab", "lab.v1", "lab.errors", "lab.names", "lab.limits", "lab.folders"),
    *("lab.run_state", "lab.rpc", "lab.bus"),
)
SERVICE = (*CORE, "lab.service", "lab.spec", "lab.manifest")
# What the folders of the checkpoint service have in common.
STORE = (
    *("lab.v1", "lab.errors", "lab.limits", "lab.names", "lab.manifest"),
    *("services.checkpoint.disk_errors", "services.checkpoint.safetensors_header"),
)

ROWS = (
    # Contracts.
    Row("lab", never=(*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.v1", never=(*NUMBERS, *NATS, *WEB, *TERMINAL)),
    Row("lab.errors", ("lab.v1",), (*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.names", ("lab.errors",), (*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.limits", never=(*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.folders", never=(*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.memory", never=(*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.run_state", ("lab.v1",), (*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.link", never=(*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.torchrun", ("lab.folders",), (*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.occupied", never=(*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    Row("lab.manifest", ("lab.v1", "lab.errors"), (*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL)),
    # What the lab is about.
    Row("lab.spec", ("lab.v1", "lab.errors", "lab.folders"), (*NUMBERS, *GRPC, *NATS, *WEB)),
    Row(
        "lab.text",
        ("lab.v1", "lab.errors", "lab.folders", "lab.spec"),
        (*TORCH, *GRPC, *NATS, *WEB, *ASYNC, *TERMINAL),
    ),
    Row("lab.kernels", never=(*GRPC, *NATS, *WEB, *ASYNC, *TERMINAL)),
    Row(
        "lab.model",
        ("lab.v1", "lab.errors", "lab.manifest", "lab.kernels"),
        (*GRPC, *NATS, *WEB, *ASYNC, *TERMINAL),
    ),
    Row("lab.analysis", ("lab.model",), (*GRPC, *NATS, *WEB, *ASYNC, *TERMINAL)),
    # How processes speak.
    Row("lab.bus", ("lab.v1", "lab.errors", "lab.names"), (*NUMBERS, *GRPC, *WEB, *TERMINAL)),
    Row(
        "lab.rpc",
        ("lab.v1", "lab.errors", "lab.limits", "lab.names"),
        (*NUMBERS, *NATS, *WEB, *TERMINAL),
    ),
    Row("lab.service", CORE, (*NUMBERS, *NATS, *WEB, *TERMINAL)),
    # How people and programs speak to them.
    Row(
        "lab.client",
        (*CORE, "lab.service", "lab.spec", "lab.manifest"),
        (*NUMBERS, *NATS, *WEB, *TERMINAL),
    ),
    Row(
        "lab.cli",
        (
            *CORE,
            "lab.client",
            "lab.spec",
            "lab.text",
            "lab.link",
            "lab.torchrun",
            "lab.manifest",
            "lab.service",
        ),
        (*NUMBERS, *NATS, *WEB),
    ),
    Row("lab.__main__", ("lab.cli",)),
    # The processes: never one another.
    Row(
        "services.checkpoint",
        (
            *(*SERVICE, "lab.memory", "services.checkpoint.shelf", "services.checkpoint.intake"),
            *("services.checkpoint.out", "services.checkpoint.bucket"),
        ),
        (*NUMBERS, *NATS, *WEB, *TERMINAL),
    ),
    Row("services.checkpoint.shelf", STORE, (*NUMBERS, *GRPC, *NATS, *WEB)),
    Row(
        "services.checkpoint.intake",
        (*STORE, "services.checkpoint.shelf"),
        (*NUMBERS, *GRPC, *NATS, *WEB),
    ),
    Row(
        "services.checkpoint.out",
        (*STORE, "services.checkpoint.shelf"),
        (*NUMBERS, *GRPC, *NATS, *WEB),
    ),
    Row(
        "services.checkpoint.bucket",
        (
            *(*STORE, "services.checkpoint.news"),
            *("services.checkpoint.shelf", "services.checkpoint.intake"),
        ),
        (*NUMBERS, *GRPC, *NATS, *WEB),
    ),
    Row("services.gateway", SERVICE, (*NUMBERS, *TERMINAL)),
    Row(
        "services.inference",
        (*SERVICE, "lab.analysis", "lab.kernels", "lab.memory", "lab.model", "lab.text"),
        (*NATS, *WEB, *TERMINAL),
    ),
    Row(
        "services.trainer",
        (
            *(*SERVICE, "lab.text", "lab.memory"),
            *("services.trainer.journal", "services.trainer.history"),
            *("services.trainer.records", "services.trainer.saved", "services.trainer.runs"),
        ),
        (*TORCH, *NATS, *WEB, *TERMINAL),
    ),
    Row(
        "services.trainer.runs",
        (
            *(*SERVICE, "lab.text", "lab.link", "lab.torchrun", "lab.occupied"),
            *("services.trainer.journal", "services.trainer.records", "services.trainer.saved"),
        ),
        (*TORCH, *NATS, *WEB, *TERMINAL),
    ),
    Row(
        "services.trainer.saved",
        (
            *(*CORE, "lab.manifest", "lab.occupied"),
            *("services.trainer.journal", "services.trainer.records"),
        ),
        (*NUMBERS, *NATS, *WEB, *TERMINAL),
    ),
    Row(
        "services.trainer.records",
        ("lab.v1", "lab.errors", "lab.names", "lab.run_state", "services.trainer.journal"),
        (*NUMBERS, *GRPC, *NATS, *WEB, *TERMINAL),
    ),
    Row(
        "services.trainer.journal",
        ("lab.v1", "lab.errors", "lab.names"),
        (*TORCH, *GRPC, *NATS, *WEB, *TERMINAL),
    ),
    Row(
        "services.trainer.history",
        ("lab.v1", "lab.errors", "lab.limits", "lab.text", "services.trainer.journal"),
        (*TORCH, *GRPC, *NATS, *WEB, *TERMINAL),
    ),
    # The child process: a loop, a link, and nothing else of the service.
    Row(
        "services.trainer.worker",
        (
            *("lab.v1", "lab.errors", "lab.link", "lab.torchrun", "lab.manifest", "lab.names"),
            *("lab.memory", "lab.analysis", "lab.kernels", "lab.model", "lab.spec", "lab.text"),
            *("lab.folders", "lab.occupied"),
        ),
        (*GRPC, *NATS, *WEB, *ASYNC, *TERMINAL, "structlog"),
    ),
)

# (importer, imported, since when and until what): allowed for now, told here.
KNOWN_DEBT: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Import:
    module: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}"


def modules() -> Iterator[tuple[str, Path]]:
    for top in (ROOT / "shared" / "lab", ROOT / "services"):
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top.parent).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(module: str, source: str, *, is_package: bool) -> Iterator[Import]:
    """Every import wherever it stands, also inside functions and under TYPE_CHECKING."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source_module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:  # `from lab import link` imports lab.link
                deeper = f"{source_module}.{alias.name}"
                yield Import(module, deeper if deeper in KNOWN else source_module, node.lineno)


KNOWN = {name for name, _ in modules()}
ALL = [
    found
    for name, path in modules()
    for found in imports(name, path.read_text(), is_package=path.name == "__init__.py")
]


def within(module: str, package: str) -> bool:
    """`lab` alone means the package itself, not everything under it."""
    return module == package or (package != "lab" and module.startswith(package + "."))


def row_of(module: str) -> Row | None:
    """The most exact row."""
    matching = [row for row in ROWS if within(module, row.who)]
    return max(matching, key=lambda row: len(row.who), default=None)


def breaks(found: Import) -> bool:
    row = row_of(found.module)
    assert row is not None
    if found.imported.split(".")[0] in ("lab", "services"):
        if found.imported == "lab" or row_of(found.imported) == row:
            return False  # `lab` itself holds nothing but the version
        return not any(within(found.imported, package) for package in row.ours)
    return any(within(found.imported, package) for package in row.never)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.who)
def test_nothing_is_imported_that_may_not_be(row: Row) -> None:
    broken = [
        str(found)
        for found in ALL
        if row_of(found.module) == row
        and breaks(found)
        and (found.module, found.imported) not in KNOWN_DEBT
    ]
    assert broken == []


def test_every_module_has_a_row_and_every_row_a_module() -> None:
    assert [name for name in KNOWN if row_of(name) is None and name != "services"] == []
    assert [row.who for row in ROWS if not any(row_of(name) == row for name in KNOWN)] == []


def test_known_debt_is_paid_off_the_list() -> None:
    assert {(found.module, found.imported) for found in ALL if breaks(found)} >= KNOWN_DEBT


@pytest.mark.parametrize(
    ("module", "source", "imported"),
    [
        ("services.gateway.app", "import torch", "torch"),
        ("services.gateway.app", "def f():\n  import torch.nn", "torch.nn"),
        ("services.gateway.app", "from services.trainer.runs import runs", "services.trainer.runs"),
        ("services.trainer.servicer", "from torch import nn", "torch"),
        ("services.trainer.worker.loop", "import asyncio", "asyncio"),
        ("services.trainer.worker.loop", "from ..runs import lives", "services.trainer.runs"),
        ("services.trainer.servicer", "from services.trainer.worker import loop", "worker"),
        ("lab.bus.bus", "from lab.rpc import client", "lab.rpc"),
        ("lab.rpc.server", "import nats.errors", "nats"),
        ("lab.text.tokenizer", "import torch", "torch"),
        ("lab.errors", "from lab import names", "lab.names"),
        ("lab.service.run", "from services import trainer", "services"),
        ("lab.cli.app", "from services.trainer import worker", "services.trainer"),
    ],
)
def test_the_walker_sees_what_breaks_a_rule(module: str, source: str, imported: str) -> None:
    found = list(imports(module, source, is_package=False))
    assert [one for one in found if breaks(one)], f"{imported} was not seen in {found}"


def test_only_two_modules_read_the_environment() -> None:
    readers = {
        name
        for name, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
        if isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    assert readers == {"lab.folders", "lab.service.settings"}


def test_what_rows_forbid_is_installed_under_that_name() -> None:
    """A misspelt package in `never` would forbid nothing."""
    import importlib.util

    names = {name for row in ROWS for name in row.never} - set(sys.stdlib_module_names)
    assert [name for name in sorted(names) if importlib.util.find_spec(name) is None] == []
