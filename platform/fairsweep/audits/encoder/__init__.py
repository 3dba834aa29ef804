"""What an encoder associates with what: tests over sets of stimuli, and each prompt's skew toward each group."""
