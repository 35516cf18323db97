"""Publishes builds and runs on the Hub."""

from kit19.fetching.snapshot import Snapshot, download_build
from kit19.publishing.pushing import Pushed, push

__all__ = ["Pushed", "Snapshot", "download_build", "push"]
