"""A spec becomes rows: one per image, each under an id made from all that decides its pixels."""
