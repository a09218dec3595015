"""A preset and what someone wants different become one spec, or one error naming every field."""

import pytest

from lab.errors import InvalidArgument
from lab.spec import load_presets, parse_run_yaml, resolve, run_to_yaml, set_dotted
from lab.spec.check import missing_fields
from lab.v1.run_spec_pb2 import RunSpec


class Facts:
    """Two corpora; one token per word."""

    sizes = {"tiny-shakespeare": 338_026, "verdict": 5_146, "note": 120}  # noqa: RUF012

    def ids(self) -> list[str]:
        return sorted(self.sizes)

    def split_sizes(self, corpus: str, *, validation_fraction: float) -> tuple[int, int]:
        validation = int(self.sizes[corpus] * validation_fraction)
        return self.sizes[corpus] - validation, validation

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def changed(*changes: str) -> RunSpec:
    spec = RunSpec()
    for change in changes:
        set_dotted(spec, change)
    return spec


def test_presets_leave_nothing_unset_and_can_be_trained() -> None:
    presets = load_presets()
    assert list(presets) == ["nano", "small", "medium"]
    for name, preset in presets.items():
        assert missing_fields(preset.spec) == []
        assert not preset.spec.budget.HasField("epochs")
        assert not preset.spec.hooks.checkpoint_on_stop
        assert preset.spec.hooks.checkpoint_every == 0
        assert resolve(name, RunSpec(), Facts()).spec == preset.spec
        assert preset.description


def test_overrides_are_laid_over_field_by_field() -> None:
    resolved = resolve("nano", changed("model.layers=2", "optimizer.clip=0"), Facts())
    expected = load_presets()["nano"].spec
    expected.model.layers = 2
    expected.optimizer.clip = 0
    assert resolved.spec == expected
    assert resolved.parameters < load_presets()["nano"].parameters


def test_a_list_replaces_the_whole_list() -> None:
    resolved = resolve("nano", changed("hooks.sample_prompts=[Once, Then]"), Facts())
    assert list(resolved.spec.hooks.sample_prompts) == ["Once", "Then"]
    assert not resolved.spec.hooks.probe_texts  # which texts those are is the corpus's choice
    long = "again " * 300
    chosen = resolve("nano", changed(f"hooks.probe_texts=[Who, '{long}']"), Facts())
    assert list(chosen.spec.hooks.probe_texts) == ["Who", long]


def test_the_preset_is_not_changed_by_what_is_laid_over_it() -> None:
    load_presets()["nano"].spec.model.layers = 99
    resolve("nano", changed("model.layers=2"), Facts())
    assert load_presets()["nano"].spec.model.layers == 6


@pytest.mark.parametrize(
    ("epochs", "batch", "steps"), [("1", 4, 5), ("2", 4, 9), ("0.01", 4, 1), ("1", 18, 1)]
)
def test_epochs_become_steps(epochs: str, batch: int, steps: int) -> None:
    """verdict has 4,632 training tokens: 18 windows of 256."""
    overrides = changed("data.corpus=verdict", f"budget.epochs={epochs}", f"budget.batch={batch}")
    resolved = resolve("nano", overrides, Facts())
    assert resolved.epoch_sequences == 18
    assert resolved.spec.budget.steps == steps
    assert not resolved.spec.budget.HasField("epochs")


def test_a_warm_up_nobody_asked_for_fits_a_short_run() -> None:
    assert resolve("nano", changed("budget.steps=50"), Facts()).spec.schedule.warmup_steps == 5
    assert resolve("nano", changed("budget.steps=3"), Facts()).spec.schedule.warmup_steps == 0
    asked = changed("budget.steps=50", "schedule.warmup_steps=40")
    assert resolve("nano", asked, Facts()).spec.schedule.warmup_steps == 40


@pytest.mark.parametrize(("batch", "micro"), [(6, 3), (4, 4), (8, 4), (7, 1), (2, 2)])
def test_a_micro_batch_nobody_asked_for_divides_the_batch(batch: int, micro: int) -> None:
    resolved = resolve("nano", changed(f"budget.batch={batch}"), Facts())
    assert resolved.spec.budget.micro_batch == micro


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (["budget.batch=0"], "budget.batch", "at least 1"),
        (["budget.batch=70000"], "budget.batch", "at most 65,536"),
        (["budget.batch=2", "budget.micro_batch=4"], "budget.micro_batch", "at most batch 2"),
        (["budget.batch=2", "budget.processes=3"], "budget.processes", "at most batch 2"),
        (["budget.processes=0"], "budget.processes", "at least 1"),
        (["budget.compile=maybe"], "budget.compile", "one of off, on, auto"),
        (["budget.micro_batch=0"], "budget.micro_batch", "at least 1"),
        (["budget.batch=512", "budget.micro_batch=512"], "budget.micro_batch", "lower micro_batch"),
        (["optimizer.learning_rate=-1"], "optimizer.learning_rate", "above 0"),
        (["optimizer.learning_rate=0"], "optimizer.learning_rate", "above 0"),
        (["optimizer.learning_rate=.nan"], "optimizer.learning_rate", "but is nan"),
        (["optimizer.learning_rate=.inf"], "optimizer.learning_rate", "but is inf"),
        (["optimizer.beta1=1"], "optimizer.beta1", "below 1"),
        (["optimizer.epsilon=0"], "optimizer.epsilon", "above 0"),
        (["optimizer.clip=-1"], "optimizer.clip", "at least 0"),
        (["optimizer.weight_decay=.nan"], "optimizer.weight_decay", "but is nan"),
        (["model.layers=0"], "model.layers", "at least 1"),
        (["model.layers=4000000000"], "model.layers", "at most 128"),
        (["model.heads=7"], "model.heads", "must divide width 160, but is 7; 8 would"),
        (["model.heads=0"], "model.heads", "at least 1"),
        (["model.width=16000", "model.layers=64"], "model.width", "the limit is 2,000,000,000"),
        (["model.context=0"], "model.context", "at least 8"),
        (["model.context=100000"], "model.context", "at most 16,384"),
        (["model.vocab_size=50000"], "model.vocab_size", "must be 50257"),
        (["model.dropout=1"], "model.dropout", "below 1"),
        (["model.dropout=-0.1"], "model.dropout", "at least 0"),
        (["data.corpus=shakespeare"], "data.corpus", "did you mean tiny-shakespeare?"),
        (["data.corpus=../etc"], "data.corpus", "known are note, tiny-shakespeare, verdict"),
        (["data.corpus=note", "hooks.evaluate_every=0"], "data.corpus", "108 training tokens"),
        (["data.tokenizer=byte"], "data.tokenizer", 'must be "gpt2"'),
        (["data.validation_fraction=0"], "data.validation_fraction", "above 0"),
        (["data.validation_fraction=1"], "data.validation_fraction", "below 1"),
        (
            ["data.corpus=verdict", "data.validation_fraction=0.01"],
            "data.validation_fraction",
            "leaves 51 validation tokens of verdict, but one window needs 257",
        ),
        (["budget.steps=0"], "budget.steps", "at least 1"),
        (["budget.epochs=0"], "budget.epochs", "above 0"),
        (["budget.epochs=.nan"], "budget.epochs", "but is nan"),
        (["budget.epochs=1e300"], "budget.epochs", "at most 1,000,000"),
        (["budget.steps=5", "budget.epochs=1"], "budget.epochs", "not both"),
        (["budget.device=tpu"], "budget.device", "cpu, cuda"),
        (["budget.threads=5000"], "budget.threads", "at most 1,024"),
        (["budget.steps=5", "schedule.warmup_steps=6"], "schedule.warmup_steps", "at most"),
        (["schedule.floor=2"], "schedule.floor", "at most 1"),
        (["hooks.evaluate_batches=0"], "hooks.evaluate_batches", "at least 1"),
        (["hooks.sample_tokens=0"], "hooks.sample_tokens", "at least 1"),
        (["hooks.sample_temperature=-1"], "hooks.sample_temperature", "at least 0"),
        (["hooks.sample_prompts=['']"], "hooks.sample_prompts[0]", "must not be empty"),
        (["hooks.probe_texts=[a, '']"], "hooks.probe_texts[1]", "must not be empty"),
        ([f"hooks.sample_prompts=[{'x' * 5000}]"], "hooks.sample_prompts[0]", "4,000 characters"),
        ([f"hooks.sample_prompts=[a, {'x ' * 300}]"], "hooks.sample_prompts[1]", "300 tokens"),
        (["hooks.sample_prompts=[1a,b,c,d,e,f,g,h,i]"], "hooks.sample_prompts", "at most 8"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: list[str], field: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        resolve("nano", changed(*changes), Facts())
    assert [v.field for v in refused.value.violations] == [field]
    assert said in refused.value.violations[0].description


def test_every_fault_is_told_at_once() -> None:
    overrides = changed(
        "model.layers=0",
        "optimizer.learning_rate=-1",
        "hooks.sample_prompts=['']",
        "data.corpus=nowhere",
    )
    with pytest.raises(InvalidArgument) as refused:
        resolve("nano", overrides, Facts())
    assert {v.field for v in refused.value.violations} == {
        "model.layers",
        "optimizer.learning_rate",
        "hooks.sample_prompts[0]",
        "data.corpus",
    }


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(InvalidArgument, match="known are nano, small, medium"):
        resolve("gigantic", RunSpec(), Facts())


def test_a_corpus_without_validation_will_do_when_nothing_is_evaluated() -> None:
    overrides = changed(
        "data.corpus=verdict", "data.validation_fraction=0.01", "hooks.evaluate_every=0"
    )
    assert resolve("nano", overrides, Facts()).validation_tokens == 51


def test_the_text_of_a_resolved_run_resolves_to_the_same_run() -> None:
    """Also where resolving chose a value: steps of epochs, micro_batch, the warm-up."""
    wishes = changed(
        *("budget.epochs=0.3", "budget.batch=9", "schedule.shape=wsd", "schedule.decay_share=0.3"),
        *("data.corpus=verdict", "hooks.evaluate_every=0", "data.seed=18446744073709551615"),
    )
    first = resolve("nano", wishes, Facts())
    text = run_to_yaml(first.preset, first.spec)
    file = parse_run_yaml(text)
    assert resolve(file.preset, file.spec, Facts()) == first
    # The text leaves nothing to the preset: over another one it is the same run.
    assert resolve("medium", file.spec, Facts()).spec == first.spec
