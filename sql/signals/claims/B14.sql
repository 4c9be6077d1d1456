-- Grain: one row.
-- Rank correlation of the tilt of longs to small coins and how much small coins move
-- in the week after; below 0 a tilt to small goes before large moves.
with readings as (
    select * from signals.signal_quality
    where
        signal_id = 'S23'
        and entity = 'market'
        and target_id = 'small_volatility'
        and horizon_days = 7
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
