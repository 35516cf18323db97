"""Calls of models behind an OpenAI-compatible API: vLLM, llama.cpp, ``kit19 serve``, a provider."""
