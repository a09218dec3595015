"""Saved states in a real browser: kept, deleted by one and seen by the other, and taken back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel

from lab.text import Tokenizer
from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENT_SECS = 120


def _stopped_with_checkpoint(cluster: Cluster) -> str:
    run = cluster.start_run(data={"corpus": "tiny-shakespeare"}, budget={"steps": 500})
    until(lambda: cluster.step_of(run) >= 2, secs=PATIENT_SECS, what="two steps")
    assert cluster.http.post(f"/api/runs/{run}:stop", json={"save": True}).status_code == 200

    def saved() -> bool:
        return bool(cluster.http.get(f"/api/runs/{run}").json()["run"]["latestCheckpoint"])

    until(saved, secs=PATIENT_SECS, what="a checkpoint")
    return run


def test_deleted_in_one_browser_gone_in_the_other_and_taken_back(
    page: Page, cluster: Cluster, browser: Browser
) -> None:
    run = _stopped_with_checkpoint(cluster)
    page.goto("/checkpoints")
    row = page.get_by_test_id("checkpoint-row").filter(has_text=run)
    expect(row).to_have_count(1)
    expect(page.get_by_test_id("disk-use")).to_contain_text("0 B in the trash")

    context = browser.new_context(base_url=cluster.address)
    other = context.new_page()
    other.goto("/checkpoints")
    theirs = other.get_by_test_id("checkpoint-row").filter(has_text=run)
    expect(theirs).to_have_count(1)

    row.get_by_test_id("checkpoint-pin").click()
    expect(row.get_by_test_id("checkpoint-pinned")).to_be_visible()
    expect(theirs.get_by_test_id("checkpoint-pinned")).to_be_visible()
    expect(row.get_by_test_id("checkpoint-delete")).to_be_disabled()
    row.get_by_test_id("checkpoint-pin").click()
    row.get_by_test_id("checkpoint-delete").click()
    expect(row).to_have_count(0)
    expect(theirs).to_have_count(0)

    # The run has no other, so it cannot be resumed until the checkpoint is back.
    def resumable() -> bool:
        found = cluster.http.get(f"/api/runs/{run}").json()["run"]
        return "RUN_VERB_RESUME" in found["allowedVerbs"]

    until(lambda: not resumable(), secs=20, what="no resume without a checkpoint")
    page.get_by_test_id("undo").click()
    expect(row).to_have_count(1)
    expect(theirs).to_have_count(1)
    expect(other.get_by_test_id("trash")).to_have_count(0)
    until(resumable, secs=20, what="resume is offered again")
    context.close()


TEXT = "The cat sat on the mat."


def test_weights_from_elsewhere_can_be_looked_into(
    page: Page, cluster: Cluster, tmp_path: Path
) -> None:
    """They are another program's, and what the lab sees in them is what that program does."""
    torch.manual_seed(1)
    shape = GPT2Config(n_layer=2, n_head=2, n_embd=8, n_positions=16)
    shape.initializer_range = 0.5  # or each head would look everywhere the same
    GPT2LMHeadModel(shape).save_pretrained(tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path, attn_implementation="eager")
    came = cluster.lab("checkpoints", "import", str(tmp_path), "--name", "tiny")
    assert "imports/tiny is there" in came.stdout
    generated = cluster.lab("generate", "imports/tiny", "--prompt", "A house", "--max-tokens", "4")
    assert "A house" in generated.stdout

    ids = torch.tensor([Tokenizer().encode(TEXT)])
    with torch.no_grad():
        answer = theirs(ids, output_attentions=True)
        losses = cross_entropy(answer.logits[0, :-1], ids[0, 1:], reduction="none")
    asked = ("imports/tiny", "--text", TEXT, "--csv", "-")
    said = _table(cluster.lab("attention", *asked, "--layer", "1", "--head", "1").stdout)
    seen = torch.tensor([[float(cell) for cell in row[1:]] for row in said[1:]])
    torch.testing.assert_close(seen, answer.attentions[1][0, 1], atol=1e-4, rtol=0)
    assert seen.max(dim=1).values[1:].min() > 1.2 / len(seen), "it looks everywhere the same"
    said = _table(cluster.lab("tokens", *asked).stdout)
    measured = [float(row[1]) for row in said[2:]]  # nothing is expected of the first
    assert measured == pytest.approx(losses.tolist(), abs=2e-3)

    page.goto("/checkpoints")
    row = page.get_by_test_id("checkpoint-row").filter(has_text="tiny").filter(has_text="import")
    row.get_by_test_id("checkpoint-inside").click()
    expect(page.get_by_test_id("inside-run")).to_have_value("imports")
    expect(page.get_by_test_id("attention-map")).to_have_attribute(
        "data-pending", "false", timeout=PATIENT_SECS * 1000
    )
    expect(page.get_by_test_id("inside-step")).to_be_visible()


def _table(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))
