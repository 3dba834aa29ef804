-- Square matrices as flat lists, row by row.
create or replace macro matrix_product_(a, b, g) as list_transform(
    range(g * g),
    lambda c: list_sum(list_transform(range(1, g + 1), lambda k: a[(c // g) * g + k]::double * b[(k - 1) * g + c % g + 1]::double))
);
create or replace macro matrix_identity_(g) as
    list_transform(range(g * g), lambda c: if(c // g = c % g, 1e0, 0e0));
create or replace macro newton_schulz_(x, m, g) as list_transform(
    matrix_product_(x, matrix_product_(m, x, g), g), lambda v, i: 2e0 * x[i]::double - v
);
-- Newton and Schulz's iteration from the transpose over the product of the norms, which always converges (Ben-Israel).
create or replace macro matrix_start_(m, g) as list_transform(
    range(g * g),
    lambda c: m[(c % g) * g + c // g + 1]::double / list_sum(list_transform(m, lambda v: v::double * v::double))
);
create or replace macro matrix_inverse(m, g) as list_reduce(
    list_transform(range(30), lambda i: m), lambda x, y: newton_schulz_(x, y, g), matrix_start_(m, g)
);
create or replace macro matrix_times(m, v, g) as list_transform(
    range(g), lambda r: list_sum(list_transform(range(1, g + 1), lambda k: m[r * g + k]::double * v[k]::double))
);

-- The point of the probability simplex nearest to v (Duchi et al., ICML 2008).
create or replace macro simplex_threshold_(sorted) as list_max(list_transform(
    sorted, lambda u, j: (list_sum(sorted[1:j]::double[]) - 1e0) / j
));
create or replace macro to_simplex(v) as list_transform(
    v, lambda x: greatest(0e0, x::double - simplex_threshold_(list_reverse_sort(v)))
);
