"""Models as safetensors files."""
