-- Grain: one row per market_date, profile and index_id.
-- Returns over calendar days, drawdown from the highest close so far, and the last day
-- on which the level was lower or higher than today.
with levels as (
    select * from indices.index_level_daily
),

spanned as (
    select
        levels.market_date,
        levels.profile,
        levels.index_id,
        levels.level,
        max(levels.level) over (
            partition by levels.profile, levels.index_id
            order by levels.market_date
            rows between unbounded preceding and current row
        ) as high_level,
        first_value(levels.level) over (
            partition by levels.profile, levels.index_id order by levels.market_date
        ) as base_level
    from levels
),

final as (
    select
        spanned.market_date,
        spanned.profile,
        spanned.index_id,
        spanned.level,
        spanned.level / day_ago.level - 1 as return_1d_fraction,
        spanned.level / week_ago.level - 1 as return_7d_fraction,
        spanned.level / month_ago.level - 1 as return_30d_fraction,
        spanned.level / quarter_ago.level - 1 as return_90d_fraction,
        spanned.level / month_end.level - 1 as return_mtd_fraction,
        spanned.level / year_end.level - 1 as return_ytd_fraction,
        spanned.level / year_ago.level - 1 as return_1y_fraction,
        spanned.level / three_years_ago.level - 1 as return_3y_fraction,
        spanned.level / five_years_ago.level - 1 as return_5y_fraction,
        spanned.level / spanned.base_level - 1 as return_since_base_fraction,
        spanned.high_level,
        spanned.level / spanned.high_level - 1 as drawdown_fraction
    from spanned
    left join levels as day_ago
        on
            spanned.profile = day_ago.profile
            and spanned.index_id = day_ago.index_id
            and spanned.market_date - 1 = day_ago.market_date
    left join levels as week_ago
        on
            spanned.profile = week_ago.profile
            and spanned.index_id = week_ago.index_id
            and spanned.market_date - 7 = week_ago.market_date
    left join levels as month_ago
        on
            spanned.profile = month_ago.profile
            and spanned.index_id = month_ago.index_id
            and spanned.market_date - 30 = month_ago.market_date
    left join levels as quarter_ago
        on
            spanned.profile = quarter_ago.profile
            and spanned.index_id = quarter_ago.index_id
            and spanned.market_date - 90 = quarter_ago.market_date
    left join levels as month_end
        on
            spanned.profile = month_end.profile
            and spanned.index_id = month_end.index_id
            and cast(date_trunc('month', spanned.market_date) as date) - 1
            = month_end.market_date
    left join levels as year_end
        on
            spanned.profile = year_end.profile
            and spanned.index_id = year_end.index_id
            and cast(date_trunc('year', spanned.market_date) as date) - 1
            = year_end.market_date
    left join levels as year_ago
        on
            spanned.profile = year_ago.profile
            and spanned.index_id = year_ago.index_id
            and cast(spanned.market_date - interval 1 year as date)
            = year_ago.market_date
    left join levels as three_years_ago
        on
            spanned.profile = three_years_ago.profile
            and spanned.index_id = three_years_ago.index_id
            and cast(spanned.market_date - interval 3 year as date)
            = three_years_ago.market_date
    left join levels as five_years_ago
        on
            spanned.profile = five_years_ago.profile
            and spanned.index_id = five_years_ago.index_id
            and cast(spanned.market_date - interval 5 year as date)
            = five_years_ago.market_date
)

select * from final
