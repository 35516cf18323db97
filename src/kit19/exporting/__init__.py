"""Models for other programs: GGUF and Ollama, vLLM's folder and command, the command of mlx-lm."""
