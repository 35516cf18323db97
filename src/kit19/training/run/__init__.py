"""One run: TRL's arguments and trainer, checkpoints, the run folder, merging."""
