"""What to train: presets, specs as YAML, merging, limits. RunSpec in, RunSpec out; no torch."""

from lab.spec.chunks import CHUNK_TOKENS
from lab.spec.live import overlay
from lab.spec.parameters import count_parameters, parameter_parts
from lab.spec.preflight import Machine, Times, preflight, this_machine
from lab.spec.presets import load_presets
from lab.spec.resolve import CorpusFacts, ResolvedSpec, overlay_spec, resolve, windows
from lab.spec.saving import SavingPolicy, saving_policy
from lab.spec.schedule import learning_rate
from lab.spec.texts import (
    RunYaml,
    parse_run_yaml,
    parse_spec_yaml,
    run_to_yaml,
    set_dotted,
    spec_to_yaml,
)
from lab.spec.timings import Timings

__all__ = [
    "CHUNK_TOKENS",
    "CorpusFacts",
    "Machine",
    "ResolvedSpec",
    "RunYaml",
    "SavingPolicy",
    "Times",
    "Timings",
    "count_parameters",
    "learning_rate",
    "load_presets",
    "overlay",
    "overlay_spec",
    "parameter_parts",
    "parse_run_yaml",
    "parse_spec_yaml",
    "preflight",
    "resolve",
    "run_to_yaml",
    "saving_policy",
    "set_dotted",
    "spec_to_yaml",
    "this_machine",
    "windows",
]
