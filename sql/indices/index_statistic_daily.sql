-- Grain: one row per market_date, profile and index_id.
-- What an index provider prints beside a level: returns over calendar days, highs and
-- lows with their dates, drawdown, volatility, concentration, and the last day on which
-- the level was lower or higher than today ("lowest since").
with levels as (
    select * from indices.index_level_daily
),

review as (
    select * from indices.review
),

moves as (
    select
        *,
        ln(
            nullif(level, 0) / nullif(
                lag(level) over (
                    partition by profile, index_id order by market_date
                ),
                0
            )
        ) as log_return
    from levels
),

spanned as (
    select
        market_date,
        profile,
        index_id,
        level,
        top_weight_fraction,
        effective_count,
        effective_date,
        first_value(level) over so_far as base_level,
        max(level) over so_far as high_level,
        max_by(market_date, level) over so_far as high_date,
        min(level) over so_far as low_level,
        min_by(market_date, level) over so_far as low_date,
        max(level) over year as high_52w_level,
        min(level) over year as low_52w_level,
        -- Crypto trades every day, so a year has 365 of them.
        case
            when count(log_return) over month = 30
                then stddev_samp(log_return) over month * sqrt(365)
        end as volatility_30d_fraction,
        case
            when count(log_return) over year = 365
                then stddev_samp(log_return) over year * sqrt(365)
        end as volatility_365d_fraction
    from moves
    window
        so_far as (
            partition by profile, index_id
            order by market_date
            rows between unbounded preceding and current row
        ),
        month as (
            partition by profile, index_id
            order by market_date
            range between interval 29 days preceding and current row
        ),
        year as (
            partition by profile, index_id
            order by market_date
            range between interval 364 days preceding and current row
        )
),

-- For every day the latest earlier day with a lower, and with a higher, level. Looking
-- at every pair of days would be slow, so whole months are looked at first: only the
-- month that must hold the answer is searched by day.
months as (
    select
        profile,
        index_id,
        date_trunc('month', market_date) as month_date,
        min(level) as lowest_level,
        max(level) as highest_level
    from levels
    group by profile, index_id, date_trunc('month', market_date)
),

month_bounds as (
    select
        levels.market_date,
        levels.profile,
        levels.index_id,
        levels.level,
        max(months.month_date) filter (where months.lowest_level < levels.level)
            as lower_month_date,
        max(months.month_date) filter (where months.highest_level > levels.level)
            as higher_month_date
    from levels
    inner join months
        on
            levels.profile = months.profile
            and levels.index_id = months.index_id
            and date_trunc('month', levels.market_date) > months.month_date
    group by levels.market_date, levels.profile, levels.index_id, levels.level
),

searched as (
    select
        market_date,
        profile,
        index_id,
        level,
        date_trunc('month', market_date) as month_date
    from levels
    union
    select
        market_date,
        profile,
        index_id,
        level,
        lower_month_date as month_date
    from month_bounds
    union
    select
        market_date,
        profile,
        index_id,
        level,
        higher_month_date as month_date
    from month_bounds
),

dated_levels as (
    select
        market_date,
        profile,
        index_id,
        level,
        date_trunc('month', market_date) as month_date
    from levels
),

passed as (
    select
        searched.market_date,
        searched.profile,
        searched.index_id,
        max(earlier.market_date) filter (where earlier.level < searched.level)
            as low_since_date,
        max(earlier.market_date) filter (where earlier.level > searched.level)
            as high_since_date
    from searched
    inner join dated_levels as earlier
        on
            searched.profile = earlier.profile
            and searched.index_id = earlier.index_id
            and searched.month_date = earlier.month_date
            and searched.market_date > earlier.market_date
    group by searched.market_date, searched.profile, searched.index_id
),

-- One row per look-back: its name and the day that it looks back to.
look_backs as (
    select
        levels.market_date,
        levels.profile,
        levels.index_id,
        levels.level,
        spans.span,
        cast(
            case spans.span
                when '1d' then levels.market_date - interval 1 day
                when '7d' then levels.market_date - interval 7 days
                when '30d' then levels.market_date - interval 30 days
                when '90d' then levels.market_date - interval 90 days
                when 'mtd'
                    then date_trunc('month', levels.market_date) - interval 1 day
                when 'ytd'
                    then date_trunc('year', levels.market_date) - interval 1 day
                when '1y' then levels.market_date - interval 1 year
                when '3y' then levels.market_date - interval 3 years
                else levels.market_date - interval 5 years
            end as date
        ) as earlier_date
    from levels
    cross join (
        values
        ('1d'), ('7d'), ('30d'), ('90d'), ('mtd'), ('ytd'), ('1y'), ('3y'), ('5y')
    ) as spans (span)
),

looked_back as (
    select
        look_backs.market_date,
        look_backs.profile,
        look_backs.index_id,
        look_backs.span,
        look_backs.level / nullif(earlier.level, 0) - 1 as return_fraction
    from look_backs
    inner join levels as earlier
        on
            look_backs.profile = earlier.profile
            and look_backs.index_id = earlier.index_id
            and look_backs.earlier_date = earlier.market_date
),

returns as (
    select
        market_date,
        profile,
        index_id,
        max(return_fraction) filter (where span = '1d') as return_1d_fraction,
        max(return_fraction) filter (where span = '7d') as return_7d_fraction,
        max(return_fraction) filter (where span = '30d') as return_30d_fraction,
        max(return_fraction) filter (where span = '90d') as return_90d_fraction,
        max(return_fraction) filter (where span = 'mtd') as return_mtd_fraction,
        max(return_fraction) filter (where span = 'ytd') as return_ytd_fraction,
        max(return_fraction) filter (where span = '1y') as return_1y_fraction,
        max(return_fraction) filter (where span = '3y') as return_3y_fraction,
        max(return_fraction) filter (where span = '5y') as return_5y_fraction
    from looked_back
    group by market_date, profile, index_id
),

final as (
    select
        spanned.market_date,
        spanned.profile,
        spanned.index_id,
        spanned.level,
        returns.return_1d_fraction,
        returns.return_7d_fraction,
        returns.return_30d_fraction,
        returns.return_90d_fraction,
        returns.return_mtd_fraction,
        returns.return_ytd_fraction,
        returns.return_1y_fraction,
        returns.return_3y_fraction,
        returns.return_5y_fraction,
        spanned.level / spanned.base_level - 1 as return_since_base_fraction,
        spanned.high_level,
        spanned.high_date,
        spanned.low_level,
        spanned.low_date,
        spanned.high_52w_level,
        spanned.low_52w_level,
        passed.low_since_date,
        passed.high_since_date,
        spanned.level / spanned.high_level - 1 as drawdown_fraction,
        spanned.volatility_30d_fraction,
        spanned.volatility_365d_fraction,
        spanned.top_weight_fraction,
        spanned.effective_count,
        review.turnover_fraction as review_turnover_fraction
    from spanned
    left join passed
        on
            spanned.market_date = passed.market_date
            and spanned.profile = passed.profile
            and spanned.index_id = passed.index_id
    left join returns
        on
            spanned.market_date = returns.market_date
            and spanned.profile = returns.profile
            and spanned.index_id = returns.index_id
    left join review
        on
            spanned.profile = review.profile
            and spanned.index_id = review.index_id
            and spanned.effective_date = review.effective_date
)

select * from final
