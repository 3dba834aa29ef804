-- Points of the confidence region of a distribution, for the interval of any metric of it. Vectors are aligned lists.

-- The point of the segment from p to goal that is nearest the goal and still inside the box [lows, highs].
create or replace macro toward_step_(p, goal, lows, highs) as list_min(list_transform(
    range(1, len(p) + 1),
    lambda i: case
        when goal[i] > highs[i] then (highs[i] - p[i]) / (goal[i] - p[i])
        when goal[i] < lows[i] then (p[i] - lows[i]) / (p[i] - goal[i])
        else 1e0
    end
));
create or replace macro toward(p, goal, lows, highs) as list_transform(
    [toward_step_(p, goal, lows, highs)], lambda step: list_transform(p, lambda x, i: x + step * (goal[i] - x))
)[1];

-- Each group in turn at its bound, the others sharing what is left as they do in p.
create or replace macro extreme_(p, i, bound) as list_transform(
    range(1, len(p) + 1),
    lambda j: case
        when j = i then bound
        when p[i] < 1 then p[j] * (1e0 - bound) / (1e0 - p[i])
        else (1e0 - bound) / (len(p) - 1)
    end
);
create or replace macro extremes(p, lows, highs) as list_concat(
    list_transform(range(1, len(p) + 1), lambda i: extreme_(p, i, lows[i])),
    list_transform(range(1, len(p) + 1), lambda i: extreme_(p, i, highs[i]))
);
