-- How the unguided pictures follow the training data and the encoder over the prompts: the slope of log-odds on log-odds, with
-- how much of their variance it explains, and the rank correlation.
-- good: near 0
-- reads: components
-- one row per: sweep, name, versus, attribute, classifier, group
-- source: Seshadri, Singh & Elazar, arXiv 2308.00755; Haldane, Annals of Human Genetics 20 (1956); Bonett & Wright, Psychometrika 65 (2000)
-- read: versus is a matching of the data, or an encoder, of which there are ranks alone. A slope above 1 amplifies. slope_low and
-- slope_high are Student's 95 % interval over prompts, rank_low and rank_high Bonett and Wright's; from four prompts on.
with pictures as (
    select distinct sweep, name, prompt, attribute, classifier, "group", value, n from components where component = 'pictures'
),
earlier as (
    select sweep, component, name, prompt, attribute, classifier, "group", value, n
    from components
    where component in ('data', 'encoder')
),
pairs as (
    select
        pictures.sweep, pictures.name, earlier.name as versus, pictures.attribute, pictures.classifier,
        pictures."group", pictures.prompt,
        if(component = 'data', ln((earlier.value * earlier.n + 0.5) / ((1 - earlier.value) * earlier.n + 0.5)), null) as x,
        ln((pictures.value * pictures.n + 0.5) / ((1 - pictures.value) * pictures.n + 0.5)) as y,
        earlier.value as raw_x, pictures.value as raw_y
    from pictures
    join earlier
        on earlier.sweep = pictures.sweep and earlier.prompt = pictures.prompt
        and earlier.attribute = pictures.attribute and earlier."group" = pictures."group"
        and (earlier.component = 'encoder' or earlier.classifier = pictures.classifier)
    where pictures.value is not null and earlier.value is not null
),
-- Ranks of equal values are their mean.
ranked as (
    select
        *,
        rank() over (cell order by raw_x) + (count(*) over (cell_x) - 1) / 2e0 as rank_x,
        rank() over (cell order by raw_y) + (count(*) over (cell_y) - 1) / 2e0 as rank_y
    from pairs
    window
        cell as (partition by sweep, name, versus, attribute, classifier, "group"),
        cell_x as (partition by sweep, name, versus, attribute, classifier, "group", raw_x),
        cell_y as (partition by sweep, name, versus, attribute, classifier, "group", raw_y)
),
fitted as (
    select
        sweep, name, versus, attribute, classifier, "group", count(*) as prompts,
        regr_slope(y, x) as slope, regr_r2(y, x) as r_squared, regr_sxx(y, x) as sxx, regr_syy(y, x) as syy,
        corr(rank_x, rank_y) as rank_correlation
    from ranked
    group by sweep, name, versus, attribute, classifier, "group"
),
bounded as (
    select
        *,
        if(prompts > 3 and sxx > 0, student_bound(1e0 - confidence_level(), prompts - 2)
            * sqrt(greatest(0e0, (1 - r_squared) * syy) / (prompts - 2) / sxx), null) as slope_half,
        if(prompts > 3 and abs(rank_correlation) < 1, interval_z(confidence_level(), 1)
            * sqrt((1 + rank_correlation ** 2 / 2) / (prompts - 3)), null) as rank_half
    from fitted
)
select
    sweep, name, versus, attribute, classifier, "group",
    slope, slope - slope_half as slope_low, slope + slope_half as slope_high, r_squared,
    rank_correlation, tanh(atanh(rank_correlation) - rank_half) as rank_low,
    tanh(atanh(rank_correlation) + rank_half) as rank_high, prompts
from bounded
