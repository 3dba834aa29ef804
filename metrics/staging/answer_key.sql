-- What a classifier said of an attribute, as one 64-bit number, and which of its answers it is. Each column is hashed by
-- itself, which DuckDB does once per word of a file's dictionary and not once per row.
create or replace macro judge_key(attribute, classifier) as xor(hash(attribute, 1), hash(classifier, 2));
create or replace macro answer_key(attribute, classifier, label) as
    xor(xor(hash(attribute, 1), hash(classifier, 2)), hash(label, 3));
