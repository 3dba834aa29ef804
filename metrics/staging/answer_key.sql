-- What a classifier said of an attribute, as one 64-bit number, and which of its answers it is. Each column is hashed by
-- itself, which DuckDB does once per word of a file's dictionary and not once per row, and the numbers together, by their
-- order: an attribute may be called like one of its groups.
create or replace macro judge_key(attribute, classifier) as hash(hash(attribute), hash(classifier));
create or replace macro answer_key(attribute, classifier, label) as
    hash(hash(attribute), hash(classifier), hash(label));
