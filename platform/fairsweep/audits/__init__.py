"""Audits of what a model is made of, beside its images: the training data, the encoder, and all three together."""
