"""``kit19 push``, by the real client, against a Hub on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_fixtures import built, built_otherwise, hub, no_network
from hub_server import HubServer

from kit19.publish import PushOptions, push

FIXTURES = (built, built_otherwise, hub, no_network)  # pytest finds them by their names here
SAMPLE = PushOptions(accept=["sample"])


def test_a(hub: HubServer, built: Path, built_otherwise: Path):
    p = push(built, "me/rows", SAMPLE)
    print(p); print(hub.writes()); print(hub.repos["me/rows"].messages)
    print(push(built, "me/rows", SAMPLE))
    print(push(built_otherwise, "me/rows", SAMPLE))
    assert 0
