-- Grain: one row per venue that breaks the rule.
with unmapped as (
    select * from staging.perp_symbol_unmapped_daily
),

last_days as (
    select max(market_date) as market_date from unmapped
),

final as (
    select
        unmapped.market_date,
        unmapped.venue,
        unmapped.unmapped_perp_count,
        unmapped.unmapped_open_interest_fraction
    from unmapped
    inner join last_days on unmapped.market_date = last_days.market_date
    where unmapped.unmapped_open_interest_fraction > 0.02
)

select * from final
