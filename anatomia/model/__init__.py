"""The decoder, its configuration, and its Hugging Face directories."""
