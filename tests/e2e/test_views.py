"""What the Inside and Text pages tell, in a real browser: the same dice at two steps and at all of
them, a map of the embedding, votes that add up, and how a token was put together."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Response, Route, expect

from tests.support.cluster import Cluster, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENT_MS = 120_000
TINY = {"layers": 2, "heads": 2, "width": 32, "context": 64}
TOKENS = "8"


def saved_run(
    cluster: Cluster, *, steps: int, model: dict[str, int], probe_every: int = 250
) -> str:
    """A run at its end whose weights were kept halfway and at the end."""
    name = cluster.start_run(
        model=model,
        data={"corpus": "tiny-shakespeare"},
        budget={"steps": steps, "batch": 2},
        hooks={
            "checkpoint_every": steps // 2,
            "checkpoint_weights_only": True,
            "evaluate_every": 0,
            "sample_every": 0,
            "probe_every": probe_every,
        },
    )
    until(lambda: cluster.run(name).get("endTime"), secs=PATIENT_MS / 1000, what="the run's end")
    saved = cluster.http.get(f"/api/runs/{name}/checkpoints").json()["checkpoints"]
    assert max(int(one["step"]) for one in saved) == steps
    return name


@pytest.fixture(scope="module")
def run(cluster: Cluster) -> str:
    """Trained for 20 steps; its weights were kept at 10 and 20, and nothing else was recorded."""
    name = saved_run(cluster, steps=20, model=TINY, probe_every=0)
    saved = cluster.http.get(f"/api/runs/{name}/checkpoints").json()["checkpoints"]
    assert sorted(int(one["step"]) for one in saved) == [10, 20]
    return name


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def test_two_checkpoints_write_with_the_same_dice_and_so_do_all(
    page: Page, cluster: Cluster, run: str
) -> None:
    page.goto(f"/inside?run={run}&at=10&against=20")
    expect(page.get_by_test_id("against-step")).to_have_text("against step 20", timeout=PATIENT_MS)
    page.get_by_test_id("prompt").fill("ROMEO: I")
    page.get_by_test_id("max-tokens").fill(TOKENS)
    page.get_by_test_id("generation-seed").fill("7")
    mine, theirs = (page.get_by_test_id(f"generated-text{which}") for which in ("", "-other"))

    # Side by side, streamed together; the place where they part is marked in both.
    page.get_by_test_id("generate").click()
    for text in (mine, theirs):
        expect(text).to_have_attribute("data-tokens", TOKENS, timeout=PATIENT_MS)
    expect(page.get_by_test_id("generation-step")).to_contain_text("step 10")
    expect(page.get_by_test_id("generation-other-step")).to_contain_text("step 20")
    by_pane = {"10": mine.inner_text(), "20": theirs.inner_text()}
    parted = mine.get_attribute("data-differs")
    assert (by_pane["10"] == by_pane["20"]) == (parted is None)
    assert parted == theirs.get_attribute("data-differs")

    # At every saved step, with the same dice: the rows are what the pane wrote.
    page.get_by_test_id("timeline-write").click()
    progress = page.get_by_test_id("timeline-progress")
    expect(progress).to_contain_text("2 of 2 steps · seed 7", timeout=PATIENT_MS)
    for step, written in by_pane.items():
        row = page.locator(f'[data-testid="timeline-row"][data-step="{step}"]')
        expect(row).to_have_attribute("data-phase", "done")
        expect(row).to_contain_text(written.replace("\n", "↵").strip())

    # A click on a row's step places the playhead; who follows it writes again, with the same dice.
    page.get_by_test_id("generation-follow").click()
    page.locator('[data-testid="timeline-row"][data-step="20"]').get_by_role("button").click()
    expect(page).to_have_url(re.compile(r"[?&]at=20(&|$)"))
    expect(page.get_by_test_id("generation-step")).to_contain_text("step 20", timeout=PATIENT_MS)
    expect(mine).to_have_text(by_pane["20"], timeout=PATIENT_MS, use_inner_text=True)

    # Both playheads at one step: nothing parts.
    expect(page.get_by_test_id("first-difference")).to_have_text("the same so far")
    # X lets them change places, B takes the second away.
    page.get_by_test_id("compare-against").select_option("10")
    page.get_by_test_id("playhead-rail").focus()
    page.keyboard.press("x")
    expect(page).to_have_url(re.compile(r"at=10.*against=20|against=20.*at=10"))
    page.keyboard.press("b")
    expect(page).not_to_have_url(re.compile("against="))


def test_map_votes_and_weights_are_of_the_step_and_the_token_that_are_held(
    page: Page, cluster: Cluster, run: str
) -> None:
    page.goto(f"/inside?run={run}&at=20")
    embedding = page.get_by_test_id("embedding")
    embedding.scroll_into_view_if_needed()  # what is out of sight is not asked about
    expect(page.get_by_test_id("embedding-map")).to_have_attribute(
        "data-points", "1000", timeout=PATIENT_MS
    )
    page.get_by_test_id("embedding-find").fill("the")
    page.get_by_test_id("embedding-find").press("Enter")
    expect(page.get_by_test_id("neighbours").get_by_role("listitem")).to_have_count(
        8, timeout=PATIENT_MS
    )
    chosen = page.get_by_test_id("embedding-map").get_attribute("data-chosen")
    assert chosen
    expect(page.get_by_test_id("embedding-readout")).to_contain_text("the")

    # The votes of all parts are the score.
    page.get_by_test_id("token-ribbon").locator("span").nth(2).click()
    page.get_by_test_id("votes").scroll_into_view_if_needed()
    expect(page.get_by_test_id("votes-question")).to_contain_text(
        "after token 2", timeout=PATIENT_MS
    )
    parts = page.get_by_test_id("votes-parts").get_by_role("listitem").all_inner_texts()
    assert len(parts) == 1 + 1 + 2 * TINY["layers"] + 1
    score = number(page.get_by_test_id("votes-question").locator("strong").inner_text())
    votes = [number(part.splitlines()[-1]) for part in parts]
    assert sum(votes) == pytest.approx(score, abs=0.01 * (len(votes) + 1))
    page.get_by_test_id("maxima").scroll_into_view_if_needed()
    expect(page.get_by_test_id("maxima-map")).to_have_attribute("data-rows", str(TINY["layers"]))

    # Esc backs out one thing at a time, wherever the focus is: the layer held here, then the token.
    page.get_by_test_id("maxima-map").click()
    expect(page.get_by_test_id("attention-map")).to_have_attribute("data-locked", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("attention-map")).to_have_attribute("data-locked", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("attention-map")).to_have_attribute("data-locked", "false")
    expect(page.get_by_test_id("votes-question")).to_contain_text("click a token in the text")

    # The playhead moves and everything with it, what is chosen stays; compared, weights tell their
    # change.
    page.get_by_test_id("inside-checkpoint").select_option(label="checkpoint at step 10")
    embedding.scroll_into_view_if_needed()
    expect(embedding).to_contain_text("step 10", timeout=PATIENT_MS)
    expect(page.get_by_test_id("embedding-map")).to_have_attribute("data-chosen", chosen)
    page.get_by_test_id("compare-against").select_option("20")
    page.get_by_test_id("weights").scroll_into_view_if_needed()
    expect(page.get_by_test_id("weights-changed")).to_contain_text("at step 20", timeout=PATIENT_MS)
    expect(page.get_by_test_id("weights-numbers")).to_contain_text("change")


def test_the_step_beside_is_there_before_the_playhead_and_what_is_old_says_so(
    page: Page, run: str
) -> None:
    def question(response: Response) -> dict[str, Any]:
        return json.loads(response.request.post_data or "{}")  # type: ignore[no-any-return]

    def of_the_step_beside(response: Response) -> bool:
        """One map in full, of the second model that is asked: the last that the map needs."""
        if not response.url.endswith(":analyse"):
            return False
        asked.append(response.url)
        return response.url != asked[0] and "dtype" in question(response).get("attention", {})

    asked: list[str] = []
    with page.expect_response(of_the_step_beside, timeout=PATIENT_MS) as ahead:
        page.goto(f"/inside?run={run}&at=10")
    ahead.value.finished()
    attention, step = page.get_by_test_id("attention-map"), page.get_by_test_id("attention-step")
    expect(step).to_have_text("step 10", timeout=PATIENT_MS)
    expect(attention).to_have_attribute("data-pending", "false", timeout=PATIENT_MS)

    # Nothing is answered any more: what was fetched ahead is shown all the same, as what it is.
    held: list[Route] = []
    page.route(re.compile(":(analyse|load)$"), lambda route: held.append(route))
    page.keyboard.press(".")
    expect(step).to_have_text("step 20")
    expect(attention).to_have_attribute("data-pending", "false")

    # Of a text that nobody asked about before there is only the old picture, which says so.
    page.get_by_test_id("inside-text").fill("Another text")
    page.get_by_test_id("analyse").click()
    expect(attention).to_have_attribute("data-pending", "true")
    expect(page.get_by_test_id("row-readout")).to_have_attribute("data-pending", "true")
    expect(page.get_by_test_id("token-ribbon")).to_have_attribute(
        "data-tokens", "2", timeout=PATIENT_MS
    )
    assert held
    page.unroute_all()
    page.get_by_test_id("inside-text").fill("Yet another text")
    page.get_by_test_id("analyse").click()
    expect(attention).to_have_attribute("data-tokens", "3", timeout=PATIENT_MS)
    expect(attention).to_have_attribute("data-pending", "false", timeout=PATIENT_MS)

    # What cannot be read is said once, where the text is; the panels below do not ask.
    page.get_by_test_id("inside-text").fill(" a" * (TINY["context"] + 1))
    page.get_by_test_id("analyse").click()
    expect(page.get_by_test_id("text-too-long")).to_contain_text("at most 64", timeout=PATIENT_MS)
    page.get_by_test_id("lens").scroll_into_view_if_needed()
    for panel in ("lens", "activations", "votes", "maxima"):
        expect(page.get_by_test_id(panel)).to_contain_text("Needs a text that the model can read")
    expect(page.get_by_role("alert")).to_have_count(1)


def test_a_checkpoint_of_another_run_is_compared_with(
    page: Page, cluster: Cluster, run: str
) -> None:
    other = saved_run(cluster, steps=2, model={**TINY, "layers": 1})
    name = f"runs/{other}/checkpoints/weights-00000002"
    page.goto(f"/inside?run={run}&at=20&against=20")
    votes = page.get_by_test_id("votes")
    votes.scroll_into_view_if_needed()
    expect(votes.get_by_test_id("votes-question")).to_contain_text(
        "step 20 less this one", timeout=PATIENT_MS
    )
    page.get_by_test_id("compare-against").select_option(name)
    expect(page.get_by_test_id("against-step")).to_have_text(
        f"against {other} at step 2", timeout=PATIENT_MS
    )
    # It has a layer less: no difference by layer and head is made up, numbers stand side by side.
    expect(page.get_by_test_id("against-unlike")).to_contain_text("1 × 2, not 2 × 2")
    expect(votes.get_by_test_id("votes-question")).not_to_contain_text("less this one")
    maxima = page.get_by_test_id("maxima")
    maxima.scroll_into_view_if_needed()
    expect(maxima.get_by_test_id("maxima-neuron")).to_have_count(2, timeout=PATIENT_MS)

    # Cells can be walked by arrow keys, and picked by Enter: a head here.
    grid = page.get_by_test_id("votes-map")
    grid.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(grid).to_have_attribute("data-at", "1,1")
    expect(votes).to_contain_text("head 1.1: ")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("layer=1.*head=1"))

    # The address tells all of it; of a run that is not there it is said.
    page.reload()
    expect(page.get_by_test_id("compare-against")).to_have_value(name)
    page.goto("/inside?run=nobody")
    expect(page.get_by_text("No such run")).to_be_visible()


def test_a_run_that_kept_weights_only_is_looked_into_by_its_name(
    cluster: Cluster, run: str
) -> None:
    near = cluster.lab("neighbours", run, " the", "--top", "3")
    assert f"runs/{run}/checkpoints/weights-00000020 at step 20" in near.stderr
    assert "cosine" in near.stdout
    split = cluster.lab("neighbours", run, "unbelievably", check=False)
    assert split.returncode != 0
    assert "give one of them" in split.stderr


def test_a_token_shows_how_it_was_made_and_ids_are_read_back(page: Page) -> None:
    page.goto("/text")
    page.get_by_test_id("playground-text").fill(" thinking <b>🙂<|endoftext|>")
    chips = page.get_by_test_id("playground-tokens").locator("[data-colour]")
    expect(chips.first).to_have_text(re.compile("·thinking"))
    chips.first.click()
    merges = page.get_by_test_id("merges").get_by_role("listitem")
    expect(merges).to_have_count(9)  # the bytes, then eight merges
    expect(merges.last).to_contain_text("·thinking")
    expect(page.get_by_test_id("token-playground").locator("b")).to_have_count(0)

    # The token itself is given as an id; what the tokenizer would write otherwise is said.
    page.get_by_test_id("turn-playground").click()
    page.get_by_test_id("playground-ids").fill("50256, 464 3797")
    expect(page.get_by_test_id("read-back")).to_contain_text("The cat")
    expect(page.get_by_test_id("read-back")).to_contain_text("otherwise, as 464 3797.")
    page.get_by_test_id("playground-ids").fill("50257")
    expect(page.get_by_test_id("problem")).to_contain_text("50,256")
