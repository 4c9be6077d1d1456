-- Grain: one row.
-- Share of coins and days on which the accounts and the positions of top traders lean
-- to one side; where they do not, more long accounts are no more long money.
with readings as (
    select * from signals.positioning_asset_daily
    where
        venue = 'pooled'
        and market_date between date '2025-01-16' and date '2026-01-15'
        and long_short_account_ratio > 0
        and top_position_ratio > 0
),

final as (
    select
        avg(
            cast((long_short_account_ratio > 1) = (top_position_ratio > 1) as integer)
        ) as actual_value,
        count(*) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        'Positions are those of top traders; in all, long equals short' as caveat,
        printf(
            'Accounts and top positions lean alike in %d of %d cases',
            count(*) filter (
                where (long_short_account_ratio > 1) = (top_position_ratio > 1)
            ),
            count(*)
        ) as evidence
    from readings
)

select * from final
