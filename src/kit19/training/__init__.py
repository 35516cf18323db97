"""Fine-tuning on instruction rows. TRL, PEFT and accelerate train; this package adds what they lack.

- ``settings``: every setting of a run, and the presets.
- ``rows/``: rows become tokens, are checked before the first step, and are packed into sequences.
- ``model/``: the base model, its files, adapters, memory, and whether packed rows stay isolated.
- ``run/``: the trainer, checkpoints, the run folder, the model card, merging.
- ``preparation`` is everything before the first step; ``pipeline`` is the complete flow.

Importing this package does not load torch. ``kit19.training.pipeline`` imports modules that need torch
when it runs.
"""

from kit19.training.settings import Lora, Settings, Tiny, load_preset, preset_names

__all__ = ["Lora", "Settings", "Tiny", "load_preset", "preset_names"]
