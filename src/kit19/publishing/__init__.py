"""Publishing a build on the Hub, and having a published one again."""

from kit19.fetching.snapshot import Snapshot, bring_build
from kit19.publishing.pushing import Pushed, PushOptions, push

__all__ = ["PushOptions", "Pushed", "Snapshot", "bring_build", "push"]
