-- Grain: one row per market_date and coin_id.
-- The price that the indices use, for every coin that was ever a constituent and every
-- day since it was first priced. A day without a price carries the last one and counts
-- the days. From the day of a migration on, a coin is priced through its successor. A
-- close below the collapse fraction of the median of the 30 days before is marked.
with members as (
    select distinct coin_id
    from indices.review_seat
    where segment is not null
),

successors as (
    select * from staging.coin_successor
),

prices as (
    select * from staging.coin_price_daily
    where not is_held
),

calendar as (
    select * from staging.market_calendar
),

collapse_rule as (
    select max(collapse_fraction) as collapse_fraction
    from indices.review_calendar
),

-- The coin itself, and every later form of it with its conversion.
forms as (
    select
        coin_id,
        coin_id as priced_coin_id,
        1.0 as units_per_coin,
        date '0001-01-01' as effective_date,
        0 as link_count
    from members
    union all
    select
        members.coin_id,
        successors.successor_coin_id as priced_coin_id,
        successors.units_per_coin,
        successors.effective_date,
        successors.link_count
    from members
    inner join successors on members.coin_id = successors.coin_id
),

observed as (
    select
        forms.coin_id,
        prices.market_date,
        forms.priced_coin_id,
        forms.units_per_coin,
        prices.price_usd * forms.units_per_coin as price_usd,
        prices.price_sources,
        prices.is_reconstructed,
        prices.known_at
    from forms
    inner join prices
        on
            forms.priced_coin_id = prices.coin_id
            and forms.effective_date <= prices.market_date
    -- The last form wins where two of them trade on one day.
    qualify row_number() over (
        partition by forms.coin_id, prices.market_date
        order by forms.link_count desc, forms.priced_coin_id asc
    ) = 1
),

spans as (
    select
        *,
        lead(market_date) over (partition by coin_id order by market_date) as next_date,
        -- A cheap bound first: the median is asked for only where the highest price of
        -- the 30 days before leaves a collapse possible.
        price_usd
        < (select collapse_rule.collapse_fraction from collapse_rule
        ) * max(price_usd) over (
            partition by coin_id
            order by market_date
            range between interval 30 days preceding and interval 1 day preceding
        ) as is_suspect
    from observed
),

collapses as (
    select
        spans.coin_id,
        spans.market_date,
        spans.price_usd
        < any_value(collapse_rule.collapse_fraction) * median(earlier.price_usd)
            as is_collapsed
    from spans
    cross join collapse_rule
    inner join observed as earlier
        on
            spans.coin_id = earlier.coin_id
            and earlier.market_date
            between spans.market_date - 30 and spans.market_date - 1
    where spans.is_suspect
    group by spans.coin_id, spans.market_date, spans.price_usd
),

marked as (
    select
        spans.*,
        coalesce(collapses.is_collapsed, false) as is_collapsed,
        coalesce(collapses.is_collapsed, false)
        and coalesce(
            lag(collapses.is_collapsed) over (
                partition by spans.coin_id order by spans.market_date
            ),
            false
        ) as is_collapse_confirmed
    from spans
    left join collapses
        on
            spans.coin_id = collapses.coin_id
            and spans.market_date = collapses.market_date
),

bounds as (
    select max(market_date) as last_date from calendar
),

-- A price stands on every day until the next one.
carried as (
    select
        marked.*,
        cast(
            unnest(
                generate_series(
                    marked.market_date,
                    coalesce(marked.next_date - 1, bounds.last_date),
                    interval 1 day
                )
            ) as date
        ) as carried_date
    from marked
    cross join bounds
),

final as (
    select
        carried.carried_date as market_date,
        carried.coin_id,
        carried.priced_coin_id,
        carried.units_per_coin,
        carried.price_usd,
        carried.market_date as observed_date,
        carried.carried_date - carried.market_date as stale_days,
        carried_night.market_night_number - observed_night.market_night_number
            as missed_night_count,
        carried.is_collapsed,
        carried.is_collapse_confirmed,
        carried.price_sources,
        carried.is_reconstructed,
        carried.known_at
    from carried
    inner join calendar as carried_night
        on carried.carried_date = carried_night.market_date
    inner join calendar as observed_night
        on carried.market_date = observed_night.market_date
)

select * from final
