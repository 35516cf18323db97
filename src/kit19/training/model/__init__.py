"""The model to train: its files, base weights, adapters, and what its layers can do."""

import logging

# PEFT and accelerate load bitsandbytes wherever it is installed, and it then recommends a package.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
