"""An OpenAI-compatible server for one model, in the prompt format of its training."""
