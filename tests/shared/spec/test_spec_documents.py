"""What a user hands in as YAML: read as plain data, or refused with the place and the reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InvalidArgument
from lab.spec import (
    load_presets,
    parse_run_yaml,
    parse_spec_yaml,
    run_to_yaml,
    set_dotted,
    spec_to_yaml,
)
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import RunSpec


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: {layer: 3}", "model.layer: is not known; did you mean layers?"),
        ("modle: {layers: 3}", "modle: is not known; did you mean model?"),
        ("model: 3", "model: must be a group of layers"),
        ("model: {layers: 1.5}", "model.layers: must be a whole number"),
        ("model: {layers: -1}", "model.layers: must be a whole number from 0"),
        ("model: {layers: true}", "model.layers: must be a number, but is True"),
        ("model: {layers: ~}", "model.layers: must be a number, but is None"),
        ("model: {tied: 1}", "model.tied: must be true or false"),
        ("model: {tied: no}", "model.tied: must be true or false, but is 'no'"),
        ("data: {corpus: 3}", "data.corpus: must be a text"),
        ("schedule: {shape: cosin}", "constant, cosine, linear, wsd, but is 'cosin'"),
        ("hooks: {sample_prompts: Once}", "hooks.sample_prompts: must be a list of texts"),
        ("hooks: {sample_prompts: [1]}", "hooks.sample_prompts: must be a list of texts"),
        ("hooks: {sample_prompts: []}", "hooks.sample_prompts: must hold at least one entry"),
        (
            "model: {layers: 1}\nmodel: {layers: 2}",
            'line 2, column 1: found duplicate key "model"; give it once',
        ),
        ("model: &a {layers: 1}", "line 1 uses an anchor"),
        ("a: [&x 1, *x]", "line 1 uses an anchor"),
        ("model: {<<: {layers: 2}}", "line 1 uses a merge key"),
        ("model: !!python/object:os.system {}", "line 1 uses a tag"),
        ("a: 1\n---\nb: 2", "line 2 holds a second document"),
        ("[" * 3000, "nested deeper than 8 levels"),
        ("{a: " * 3000, "nested deeper than 8 levels"),
        ("model:\n\tlayers: 1", "line 2, column 1"),
        ("model: {layers: 1", "line 1"),
        ("- 1", "must be a mapping"),
        ("just a text", "must be a mapping"),
        ("#" * 70_000, "the limit is 65,536"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_spec_yaml(text)
    assert said in refused.value.message


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_spec_yaml("model: {layer: 3, width: x}\nbudget: {batch: 1.5}")
    assert [v.field for v in refused.value.violations] == [
        "model.layer",
        "model.width",
        "budget.batch",
    ]


def test_numbers_are_read_as_people_mean_them() -> None:
    spec = parse_spec_yaml("optimizer: {learning_rate: 3e-4, clip: 1}\nschedule: {shape: linear}")
    assert spec.optimizer.learning_rate == 3e-4
    assert spec.optimizer.clip == 1.0
    assert spec.schedule.shape == run_spec_pb2.SCHEDULE_SHAPE_LINEAR
    assert not spec.HasField("model")


def test_an_empty_text_asks_for_nothing() -> None:
    assert parse_spec_yaml("") == RunSpec()


def test_presets_come_back_from_their_text() -> None:
    for preset in load_presets().values():
        assert parse_spec_yaml(spec_to_yaml(preset.spec)) == preset.spec


@given(
    prompts=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4),
    rate=st.floats(min_value=1e-9, max_value=10),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_value_comes_back_from_its_text(prompts: list[str], rate: float, seed: int) -> None:
    spec = RunSpec()
    try:
        spec.hooks.sample_prompts.extend(prompts)
    except (UnicodeEncodeError, ValueError):  # protobuf itself takes no lone surrogates
        return
    spec.optimizer.learning_rate, spec.data.seed = rate, seed
    assert parse_spec_yaml(spec_to_yaml(spec)) == spec


def test_single_changes() -> None:
    spec = RunSpec()
    for change in (
        "model.layers=4",
        "optimizer.learning_rate=3e-4",
        "hooks.sample_prompts=[Once, Then]",
        "hooks.sample_prompts=[a=b]",
        "data.corpus=verdict",
    ):
        set_dotted(spec, change)
    assert spec.model.layers == 4
    assert spec.optimizer.learning_rate == 3e-4
    assert list(spec.hooks.sample_prompts) == ["a=b"]
    assert spec.data.corpus == "verdict"


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ("model.layers", "model.layers", "section.field=value"),
        ("layers=3", "layers", "section.field=value"),
        ("model.a.b=3", "model.a.b", "section.field=value"),
        ("=3", "set", "section.field=value"),
        ("modle.layers=3", "modle", "did you mean model?"),
        ("model.layer=3", "model.layer", "did you mean layers?"),
        ("model.layers=x", "model.layers", "must be a number"),
        ("model.layers=", "model.layers", "must be a number"),
    ],
)
def test_changes_that_cannot_be_made(change: str, field: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        set_dotted(RunSpec(), change)
    assert [v.field for v in refused.value.violations] == [field]
    assert said in refused.value.message


def random_specs() -> st.SearchStrategy[RunSpec]:
    """Every field set, to any value of its type."""

    def values(field: Any) -> st.SearchStrategy[Any]:
        if field.type == field.TYPE_MESSAGE:
            return messages(field.message_type)
        if field.is_repeated:
            return st.lists(
                st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1
            )
        if field.enum_type is not None:
            return st.sampled_from(
                [number for number in field.enum_type.values_by_number if number]
            )
        if field.type == field.TYPE_BOOL:
            return st.booleans()
        if field.type == field.TYPE_STRING:
            return st.text(st.characters(exclude_categories=["Cs"]))
        if field.type == field.TYPE_DOUBLE:
            return st.floats(allow_nan=False, allow_infinity=False)
        return st.integers(0, 2**64 - 1 if field.type == field.TYPE_UINT64 else 2**32 - 1)

    def messages(descriptor: Any) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({field.name: values(field) for field in descriptor.fields})

    return messages(RunSpec.DESCRIPTOR).map(lambda fields: RunSpec(**fields))


@given(spec=random_specs(), preset=st.sampled_from(["", "nano", "medium"]))
def test_an_exported_run_comes_back_whole(spec: RunSpec, preset: str) -> None:
    again = parse_run_yaml(run_to_yaml(preset, spec))
    assert (again.preset, again.spec) == (preset, spec)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("preset: 3", "preset: must be a text"),
        ("preset: nano\npreset: small", 'duplicate key "preset"'),
        ("schedule: {shape: wsd, decay: 0.1}", "schedule.decay: is not known; did you mean decay_"),
        ("presett: nano", "presett: is not known"),
    ],
)
def test_files_that_name_their_preset_are_checked_as_well(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        parse_run_yaml(text)
