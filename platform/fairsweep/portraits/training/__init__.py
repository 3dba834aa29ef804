"""Train the built-in models from scratch: autoencoder, CLIP, denoiser."""
