-- Grain: one row per profile, index_id and event_date.
-- Both sides of every change of basket, at the same closing prices, and the divisor
-- that makes the level the same before and after.
with totals as (
    select * from indices.basket_total_daily
),

baskets as (
    select distinct
        profile,
        index_id,
        basket_date,
        next_basket_date,
        effective_date,
        event_kind
    from indices.basket
),

-- The basket before. It ended on the event date, or earlier when it lost all its
-- members.
followed as (
    select
        *,
        lag(basket_date) over by_date as earlier_basket_date,
        lag(next_basket_date) over by_date as earlier_end_date
    from baskets
    window by_date as (partition by profile, index_id order by basket_date)
),

review_calendar as (
    select * from indices.review_calendar
),

sides as (
    select
        baskets.profile,
        baskets.index_id,
        baskets.basket_date as event_date,
        baskets.effective_date,
        baskets.event_kind,
        after_event.market_value_usd as market_value_after_usd,
        before_event.market_value_usd as market_value_before_usd,
        after_event.constituent_count,
        review_calendar.base_level,
        review_calendar.rulebook_version
    from followed as baskets
    inner join review_calendar
        on
            baskets.profile = review_calendar.profile
            and baskets.effective_date = review_calendar.effective_date
    inner join totals as after_event
        on
            baskets.profile = after_event.profile
            and baskets.index_id = after_event.index_id
            and baskets.basket_date = after_event.basket_date
            and baskets.basket_date = after_event.market_date
    left join totals as before_event
        on
            baskets.profile = before_event.profile
            and baskets.index_id = before_event.index_id
            and baskets.earlier_basket_date = before_event.basket_date
            and baskets.earlier_end_date = before_event.market_date
),

-- An index begins at the base level: at its first basket, and after one that ended at
-- zero, from which no level leads on.
begun as (
    select
        *,
        count(*) filter (where coalesce(market_value_before_usd, 0) = 0) over (
            partition by profile, index_id
            order by event_date
            rows between unbounded preceding and current row
        ) as base_number
    from sides
),

chained as (
    select
        *,
        product(
            market_value_after_usd
            / coalesce(nullif(market_value_before_usd, 0), base_level)
        ) over (
            partition by profile, index_id, base_number
            order by event_date
            rows between unbounded preceding and current row
        ) as divisor
    from begun
),

final as (
    select
        profile,
        index_id,
        event_date,
        effective_date,
        case
            when coalesce(market_value_before_usd, 0) = 0 then 'base'
            else event_kind
        end as event_kind,
        nullif(market_value_before_usd, 0) as market_value_before_usd,
        market_value_after_usd,
        lag(divisor) over (
            partition by profile, index_id, base_number
            order by event_date
        ) as divisor_before,
        divisor as divisor_after,
        market_value_after_usd / divisor as level,
        constituent_count,
        rulebook_version
    from chained
)

select * from final
