-- Grain: one row.
-- Rank correlation of the week's net flow to the exchange and what the coins but
-- Bitcoin return in the month after; below 0 outflow goes before gains.
with readings as (
    select * from signals.signal_quality
    where
        signal_id = 'S28M'
        and entity = 'binance'
        and target_id = 'top100_ex_btc'
        and horizon_days = 30
        and sample = 'all'
        and bucket = 'all'
        and rank_information is not null
),

final as (
    select
        max(rank_information) as actual_value,
        coalesce(sum(observation_count), 0) as input_count,
        min(first_date) as first_input_date,
        max(last_date) as last_input_date,
        coalesce(max(p_value_adjusted) < 0.1, false) as is_supported,
        'Our history to the newest day, not to the day of the article' as caveat,
        printf(
            'Rank correlation %+.3f over %d days, adjusted p %.2f: %s',
            max(rank_information),
            max(observation_count),
            max(p_value_adjusted),
            max(verdict)
        ) as evidence
    from readings
)

select * from final
