-- Grain: one row.
-- Turnover of the coins 80 % or more below their high over that of the other coins:
-- median of the daily ratios of medians over a year.
with drawdowns as (
    select * from signals.drawdown_asset_daily
    where
        market_date between date '2025-01-16' and date '2026-01-15'
        and drawdown_fraction is not null
),

turnovers as (
    select * from signals.coin_turnover_daily
    where turnover_fraction is not null
),

joined as (
    select
        drawdowns.market_date,
        drawdowns.drawdown_fraction <= -0.8 as is_deep,
        turnovers.turnover_fraction
    from drawdowns
    inner join turnovers
        on
            drawdowns.market_date = turnovers.market_date
            and drawdowns.coin_id = turnovers.coin_id
),

days as (
    select
        market_date,
        median(turnover_fraction) filter (where is_deep)
        / nullif(median(turnover_fraction) filter (where not is_deep), 0)
            as turnover_ratio
    from joined
    group by market_date
    having
        count(*) filter (where is_deep) >= 5
        and count(*) filter (where not is_deep) >= 5
),

counted as (
    select
        count(*) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date
    from joined
),

final as (
    select
        median(days.turnover_ratio) as actual_value,
        max(counted.input_count) as input_count,
        max(counted.first_input_date) as first_input_date,
        max(counted.last_input_date) as last_input_date,
        coalesce(
            avg(cast(days.turnover_ratio < 1 as integer)) >= 0.6, false
        ) as is_supported,
        'Reported volume; a loss from the high is not every holder''s' as caveat,
        printf(
            'Lower turnover on %d of %d days; who sells is not known',
            count(*) filter (where days.turnover_ratio < 1),
            count(days.turnover_ratio)
        ) as evidence
    from counted
    left join days on true
)

select * from final
