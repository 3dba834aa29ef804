-- What expected_maximum_unfairness draws, and the chances that it is made of.
create or replace macro unfairness_prompts() as 10;
create or replace macro unfairness_images() as 10;

-- The chance that so many images of a share deviate from even by no more than a deviation.
create or replace macro within_deviation_(share, deviation) as list_sum(list_transform(
    range(unfairness_images() + 1),
    lambda k: if(
        abs(2e0 * k - unfairness_images()) / unfairness_images() > deviation + 1e-9, 0e0,
        exp(lgamma(unfairness_images() + 1e0) - lgamma(k + 1e0) - lgamma(unfairness_images() - k + 1e0))
            * share ** k * (1 - share) ** (unfairness_images() - k)
    )
));

-- The mean, over all choices of s of the numbers, of their product: after i of the numbers the j-th of the s + 1 entries
-- is that mean for j of them, each new number entering with the chance that it is among the chosen.
create or replace macro symmetric_mean_(numbers, s) as list_reduce(
    list_transform(numbers, lambda number, i: [number, i]),
    lambda means, entry: list_transform(means, lambda mean, place: case
        when place = 1 then 1e0
        when place - 1 > entry[2] then 0e0
        else mean * (1 - (place - 1) / entry[2]) + means[place - 1] * entry[1] * (place - 1) / entry[2]
    end),
    list_transform(range(s + 1), lambda place: if(place = 0, 1e0, 0e0))
)[s + 1];
