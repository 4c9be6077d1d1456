-- Grain: one row per dataset and source.
-- How good was the data of the last day? What each source brought, which rules its rows
-- broke, and how old its newest row is. A source without a row has brought nothing yet.
with as_of as (
    select market_date from main.about
),

loaded as (
    select
        results.dataset,
        results.source,
        sum(results.added_count + results.revised_count) as loaded_count,
        sum(results.quarantined_count) as quarantined_count
    from quality.load_result as results
    inner join as_of on results.market_date = as_of.market_date
    group by results.dataset, results.source
),

checked as (
    select
        results.dataset,
        results.source,
        count(*) as rule_count,
        count(*) filter (where results.status <> 'passed') as broken_rule_count
    from quality.check_result as results
    inner join as_of on results.market_date = as_of.market_date
    group by results.dataset, results.source
)

select
    fresh.dataset,
    fresh.source,
    fresh.newest_date,
    fresh.age_days,
    fresh.state,
    coalesce(loaded.loaded_count, 0) as loaded_count,
    coalesce(loaded.quarantined_count, 0) as quarantined_count,
    coalesce(checked.rule_count, 0) as rule_count,
    coalesce(checked.broken_rule_count, 0) as broken_rule_count
from quality.freshness as fresh
left join loaded on fresh.dataset = loaded.dataset and fresh.source = loaded.source
left join checked on fresh.dataset = checked.dataset and fresh.source = checked.source
where fresh.newest_date is not null
order by fresh.dataset, fresh.source
