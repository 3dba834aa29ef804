-- Why a figure or an interval is null, in words; null where nothing is wanting.

create or replace macro too_few(n, noun, purpose) as
    concat(n, ' ', noun, if(n = 1, ' is', 's are'), ' too few for ', purpose);
create or replace macro population_reason(prompts) as
    if(prompts < prompts_for_population(), too_few(prompts, 'prompt', 'an interval over prompts like these'), null);
create or replace macro spread_reason(n, noun) as if(n < 2, too_few(n, noun, 'an interval'), null);
-- unmeasured: the groups that the classifier cannot tell, null for none.
create or replace macro unseen_reason(n, unmeasured, classifier) as case
    when unmeasured is not null then concat('not measured: ', classifier, ' cannot tell ', array_to_string(unmeasured, ', '))
    when n = 0 then 'no image shows a declared group'
end;
