"""Presets leave nothing unsaid, and are the models they say they are."""

import pytest
from google.protobuf.descriptor import FieldDescriptor

from lab.model import GPT_CONFIGS, GPTConfig
from lab.spec import count_parameters, load_presets
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.trainer_service_pb2 import Preset

PRESETS = load_presets()
# A resolved spec holds steps; epochs are another way to ask for them.
NOT_IN_A_PRESET = {("budget", "epochs"), ("hooks", "probe_texts")}
MILLIONS = {"nano": 9.94, "small": 51.2, "medium": 124.4}


def fields() -> list[tuple[str, str]]:
    sections = {name: getattr(RunSpec(), name) for name in RunSpec.DESCRIPTOR.fields_by_name}
    return [
        (name, field) for name, part in sections.items() for field in part.DESCRIPTOR.fields_by_name
    ]


def test_there_are_three_smallest_first() -> None:
    assert list(PRESETS) == ["nano", "small", "medium"]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
@pytest.mark.parametrize(("section", "name"), fields(), ids=lambda part: part)
def test_a_preset_says_everything(preset: Preset, section: str, name: str) -> None:
    part = getattr(preset.spec, section)
    field: FieldDescriptor = part.DESCRIPTOR.fields_by_name[name]
    said = len(getattr(part, name)) > 0 if field.is_repeated else part.HasField(name)
    assert said == ((section, name) not in NOT_IN_A_PRESET)


@pytest.mark.parametrize("name", MILLIONS)
def test_a_preset_has_the_size_it_is_known_for(name: str) -> None:
    assert PRESETS[name].parameters == count_parameters(PRESETS[name].spec.model)
    assert PRESETS[name].parameters / 1e6 == pytest.approx(MILLIONS[name], abs=0.05)


@pytest.mark.parametrize("name", MILLIONS)
def test_gpt_configs_and_presets_are_the_same_models(name: str) -> None:
    assert GPT_CONFIGS[name] == GPTConfig.from_spec(PRESETS[name].spec.model)


def test_no_preset_saves_unless_asked() -> None:
    for preset in PRESETS.values():
        assert preset.spec.hooks.checkpoint_every == 0
        assert not preset.spec.hooks.checkpoint_on_stop
