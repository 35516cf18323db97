"""Publishes builds and runs on the Hub."""

from kit19.fetching.snapshot import Snapshot, download_build
from kit19.publishing.pushing import Pushed, push
from kit19.publishing.run_pusher import RunPusher

__all__ = ["Pushed", "RunPusher", "Snapshot", "download_build", "push"]
