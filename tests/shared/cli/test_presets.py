"""`lab presets`: the presets, and where the parameters of one are."""

from __future__ import annotations

import json

import pytest

from tests.shared.cli.conftest import Lab

pytestmark = pytest.mark.integration


def test_presets_and_where_the_parameters_are(lab: Lab) -> None:
    assert "medium" in lab("presets").stdout
    shown = lab("presets", "nano")
    assert shown.returncode == 0
    assert "8,041,120    80.9%" in shown.stdout
    assert "The output head is tied" in shown.stdout
    told = json.loads(lab("presets", "nano", "--json").stdout)
    assert told["parameterParts"][0] == {"name": "token embedding", "parameters": "8041120"}
    refused = lab("presets", "nanno")
    assert refused.returncode == 2
    assert 'no preset "nanno"; known are nano, small, medium' in refused.stderr
