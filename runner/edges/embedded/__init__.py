"""Models without a server of models: a GGUF file and llama.cpp's own server."""
