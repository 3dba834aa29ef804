"""What training data shows for each prompt: matched by captions and by similarity, then labelled as any sweep is."""
