-- Grain: one row per market_date, profile, index_id, effective_date and coin_id.
-- What every position of a basket is worth on every day on which the basket is in
-- force: from the close of its weighting date to the close of the next one, both
-- included.
with constituents as (
    select * from indices.constituent
),

prices as (
    select * from indices.constituent_price_daily
),

periods as (
    select
        profile,
        index_id,
        effective_date,
        weighting_date,
        lead(weighting_date) over (
            partition by profile, index_id order by effective_date
        ) as last_date
    from constituents
    group by profile, index_id, effective_date, weighting_date
),

final as (
    select
        prices.market_date,
        constituents.profile,
        constituents.index_id,
        constituents.effective_date,
        constituents.coin_id,
        constituents.units,
        prices.price_usd,
        constituents.units * prices.price_usd as market_value_usd,
        prices.stale_days,
        prices.is_reconstructed
    from constituents
    inner join periods
        on
            constituents.profile = periods.profile
            and constituents.index_id = periods.index_id
            and constituents.effective_date = periods.effective_date
    inner join prices
        on
            constituents.coin_id = prices.coin_id
            and periods.weighting_date <= prices.market_date
            and (periods.last_date is null or periods.last_date >= prices.market_date)
)

select * from final
