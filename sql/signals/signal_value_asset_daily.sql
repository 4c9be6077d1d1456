-- Grain: one row per market_date, signal_id and entity.
-- Signals of positions, of who holds what and where: of single coins and of the
-- indices.
with final as (
    select
        market_date,
        'S21' as signal_id,
        coin_id as entity,
        long_short_account_ratio as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.positioning_asset_daily
    where venue = 'pooled' and is_member and long_short_account_ratio is not null
    union all
    select
        market_date,
        'S22' as signal_id,
        index_id as entity,
        above_1_fraction as value,
        state,
        coverage_fraction
    from signals.positioning_market_daily
    union all
    select
        market_date,
        'S23' as signal_id,
        'top100_ex_btc' as entity,
        rank_correlation as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.rank_tilt_daily
    union all
    select
        market_date,
        'S24' as signal_id,
        index_id as entity,
        taker_buy_sell_ratio as value,
        taker_state as state,
        coverage_fraction
    from signals.positioning_market_daily
    union all
    select
        market_date,
        'S25' as signal_id,
        index_id as entity,
        crowding_score as value,
        state,
        coverage_fraction
    from signals.crowding_market_daily
    union all
    select
        market_date,
        'S26' as signal_id,
        index_id as entity,
        down_80_fraction as value,
        state,
        coverage_fraction
    from signals.drawdown_market_daily
    union all
    select
        market_date,
        'S27' as signal_id,
        coin_id as entity,
        estimated_gain_fraction as value,
        case
            when method = 'onchain' then 'estimated_beside_onchain'
            else state
        end as state,
        cast(1 as double) as coverage_fraction
    from signals.holder_stress_daily
    where estimated_gain_fraction is not null
    union all
    select
        market_date,
        'S27M' as signal_id,
        coin_id as entity,
        mvrv_ratio as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.holder_stress_daily
    where mvrv_ratio is not null
    union all
    select
        market_date,
        'S28' as signal_id,
        exchange || '/' || token_symbol as entity,
        flow_7d_fraction as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.exchange_flow_asset_daily
    union all
    select
        market_date,
        'S28M' as signal_id,
        exchange as entity,
        net_flow_7d_fraction as value,
        state,
        coverage_fraction
    from signals.exchange_flow_market_daily
    union all
    select
        market_date,
        'S28C' as signal_id,
        coin_id as entity,
        net_flow_7d_fraction as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.onchain_flow_daily
)

select * from final
