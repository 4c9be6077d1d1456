-- Grain: one row per market_date, signal_id and entity.
-- Signals of equities and of how they go with crypto, on the day of their session, and
-- the regime of exchange-traded products.
with final as (
    select
        market_date,
        'S06' as signal_id,
        pair_id as entity,
        spread_1d_log as value,
        etp_regime as state,
        cast(1 as double) as coverage_fraction
    from signals.regime_spread_daily
    union all
    select
        session_date as market_date,
        'S13' as signal_id,
        ticker as entity,
        distance_from_record_fraction as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.equity_index_daily
    union all
    select
        session_date as market_date,
        'S14' as signal_id,
        pair_id as entity,
        streak_sessions as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.equity_pair_daily
    union all
    select
        session_date as market_date,
        'S15' as signal_id,
        ticker as entity,
        estimated_added_value_usd as value,
        'estimated' as state,
        cast(1 as double) as coverage_fraction
    from signals.equity_index_daily
    where estimated_added_value_usd is not null
    union all
    select
        session_date as market_date,
        'S16' as signal_id,
        pair_id as entity,
        correlation as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.cross_market_correlation_daily
    where window_sessions = 60 and method = 'pearson'
)

select * from final
