-- Grain: one row per market_date, dataset and rule_id.
-- What was kept out, why, and what became of it.
with held as (
    select * from quality.quarantine_row
),

checks as (
    select * from quality.check_result
),

-- The rule on the share looks at every row of a frame.
checked as (
    select
        market_date,
        dataset,
        cast(sum(total_count) as bigint) as checked_count
    from checks
    where ends_with(rule_id, '.quarantine_share')
    group by market_date, dataset
),

counted as (
    select
        gate_market_date as market_date,
        dataset,
        rule_id,
        count(*) as row_count,
        count(*) filter (where status = 'open') as open_count,
        count(*) filter (where status = 'released') as released_count,
        count(*) filter (where status = 'superseded') as superseded_count
    from held
    group by gate_market_date, dataset, rule_id
),

final as (
    select
        counted.market_date,
        counted.dataset,
        counted.rule_id,
        case
            when counted.open_count > 0 then 'open'
            when counted.released_count > 0 then 'released'
            else 'superseded'
        end as status,
        counted.row_count,
        counted.open_count,
        counted.released_count,
        counted.superseded_count,
        checked.checked_count,
        counted.row_count / nullif(checked.checked_count, 0) as kept_out_fraction
    from counted
    left join checked
        on
            counted.market_date = checked.market_date
            and counted.dataset = checked.dataset
)

select * from final
