"""Fine-tuning on instruction rows: what TRL, PEFT and accelerate leave to chance.

One file holds one idea: ``rows`` (what is trained on), ``tokens`` (once, cached by content),
``preflight`` (what must hold before the first step), ``packing``, ``batches``, ``losses`` (of answers),
``trainer`` and ``checkpoint`` (whole or not there), ``tiny`` (a model from nothing), ``memory``,
``processes`` (several, that train one model), ``curves``, ``model_card``, ``run_folder``, ``talking``,
``scoring``. Importing this package loads none of torch: modules that need it are imported by
``kit19.training.pipeline`` when it works.
"""

from kit19.training.settings import Lora, Settings, Tiny, load_preset, preset_names

__all__ = ["Lora", "Settings", "Tiny", "load_preset", "preset_names"]
