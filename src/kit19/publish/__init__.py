"""Publishing a build on the Hub, and having a published one again."""

from kit19.publish.pushing import Pushed, PushOptions, push
from kit19.publish.snapshot import Snapshot, bring_build

__all__ = ["PushOptions", "Pushed", "Snapshot", "bring_build", "push"]
