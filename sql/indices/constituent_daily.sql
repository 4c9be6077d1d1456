-- Grain: one row per market_date, profile, index_id and coin_id.
-- Every constituent on every day: its weight at the close, and what it added to the
-- day's move of the index. The contributions of a day add up to the index's return.
with positions as (
    select * from indices.basket_value_daily
),

totals as (
    select * from indices.basket_total_daily
),

review_calendar as (
    select * from indices.review_calendar
),

-- On a weighting date the close still belongs to the old basket; on the base date there
-- is no old one.
in_force as (
    select
        positions.*,
        totals.market_value_usd as index_value_usd
    from positions
    inner join totals
        on
            positions.market_date = totals.market_date
            and positions.profile = totals.profile
            and positions.index_id = totals.index_id
            and positions.effective_date = totals.effective_date
    where
        positions.market_date >= positions.effective_date
        or positions.market_date = (
            select min(review_calendar.weighting_date)
            from review_calendar
            inner join totals as base
                on
                    review_calendar.profile = base.profile
                    and review_calendar.effective_date = base.effective_date
            where review_calendar.profile = positions.profile
        )
),

final as (
    select
        today.market_date,
        today.profile,
        today.index_id,
        today.coin_id,
        today.effective_date,
        today.units,
        today.price_usd,
        today.stale_days,
        today.market_value_usd / today.index_value_usd as weight_fraction,
        (today.market_value_usd - yesterday.market_value_usd)
        / yesterday_total.market_value_usd as contribution_1d_fraction
    from in_force as today
    left join positions as yesterday
        on
            today.market_date - 1 = yesterday.market_date
            and today.profile = yesterday.profile
            and today.index_id = yesterday.index_id
            and today.effective_date = yesterday.effective_date
            and today.coin_id = yesterday.coin_id
    left join totals as yesterday_total
        on
            yesterday.market_date = yesterday_total.market_date
            and yesterday.profile = yesterday_total.profile
            and yesterday.index_id = yesterday_total.index_id
            and yesterday.effective_date = yesterday_total.effective_date
)

select * from final
