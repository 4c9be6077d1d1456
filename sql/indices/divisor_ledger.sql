-- Grain: one row per profile, index_id and effective_date.
-- Both sides of every change of basket, at the same closing prices, and the divisor
-- that makes the level the same before and after.
with totals as (
    select * from indices.basket_total_daily
),

review_calendar as (
    select * from indices.review_calendar
),

openings as (
    select
        totals.profile,
        totals.index_id,
        totals.effective_date,
        totals.market_date as event_date,
        totals.market_value_usd as market_value_after_usd,
        totals.constituent_count,
        review_calendar.base_level,
        review_calendar.rulebook_version
    from totals
    inner join review_calendar
        on
            totals.profile = review_calendar.profile
            and totals.effective_date = review_calendar.effective_date
            and totals.market_date = review_calendar.weighting_date
),

closings as (
    select
        openings.*,
        totals.market_value_usd as market_value_before_usd
    from openings
    left join totals
        on
            openings.profile = totals.profile
            and openings.index_id = totals.index_id
            and openings.event_date = totals.market_date
            and openings.effective_date > totals.effective_date
),

chained as (
    select
        *,
        product(
            coalesce(
                market_value_after_usd / market_value_before_usd,
                market_value_after_usd / base_level
            )
        ) over (
            partition by profile, index_id
            order by effective_date
            rows between unbounded preceding and current row
        ) as divisor
    from closings
),

final as (
    select
        profile,
        index_id,
        effective_date,
        event_date,
        case
            when market_value_before_usd is null then 'base'
            else 'review'
        end as event_kind,
        market_value_before_usd,
        market_value_after_usd,
        lag(divisor) over (partition by profile, index_id order by effective_date)
            as divisor_before,
        divisor as divisor_after,
        market_value_after_usd / divisor as level,
        constituent_count,
        rulebook_version
    from chained
)

select * from final
