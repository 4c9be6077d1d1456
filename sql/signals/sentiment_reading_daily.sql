-- Grain: one row per market_date, component_id and series.
-- What goes into the composite sentiment, each as the figure that its own table has.
-- Two series of one component are ranked apart, each against itself. An equity close
-- carries over a weekend, for at most four days.
with calendar as (
    select * from staging.market_calendar
),

crypto as (
    select
        market_date,
        'size_spread' as component_id,
        pair_id as series,
        spread_30d_fraction as value,
        0 as stale_days
    from signals.index_spread_daily
    where pair_id = 'small_over_large'
    union all
    select
        market_date,
        'beating_bitcoin' as component_id,
        index_id as series,
        beating_btc_90d_fraction as value,
        0 as stale_days
    from signals.breadth_daily
    where index_id = 'top100_ex_btc'
    union all
    select
        market_date,
        'altcoin_season' as component_id,
        variant_id as series,
        altcoin_season_score as value,
        0 as stale_days
    from signals.altcoin_season_daily
    where variant_id = 'top100_90d'
    union all
    select
        market_date,
        'long_share' as component_id,
        index_id as series,
        above_1_fraction as value,
        0 as stale_days
    from signals.positioning_market_daily
    where index_id = 'top100_ex_btc'
    union all
    select
        market_date,
        'rank_tilt' as component_id,
        'top100_ex_btc' as series,
        rank_correlation as value,
        0 as stale_days
    from signals.rank_tilt_daily
    union all
    select
        market_date,
        'crowding' as component_id,
        index_id as series,
        crowding_score as value,
        0 as stale_days
    from signals.crowding_market_daily
    where index_id = 'top100'
    union all
    select
        market_date,
        'deep_drawdown' as component_id,
        index_id as series,
        down_80_fraction as value,
        0 as stale_days
    from signals.drawdown_market_daily
    where index_id = 'top100_ex_btc'
    union all
    select
        market_date,
        'unrealised_gain' as component_id,
        'top100' as series,
        median_gain_fraction as value,
        0 as stale_days
    from signals.holder_stress_market_daily
    union all
    select
        market_date,
        'risk_aversion' as component_id,
        'market' as series,
        risk_aversion_score as value,
        0 as stale_days
    from signals.risk_aversion_daily
    union all
    select
        market_date,
        case
            when source = 'alternative_me' then 'fear_greed_alternative_me'
            else 'fear_greed_cmc'
        end as component_id,
        source as series,
        score as value,
        stale_days
    from signals.external_sentiment_daily
    where source in ('alternative_me', 'cmc_fear_greed')
),

sessions as (
    select
        session_date,
        'equity_record' as component_id,
        ticker as series,
        distance_from_record_fraction as value
    from signals.equity_index_daily
    where ticker in ('RUT', 'IWM') and state <> 'insufficient'
    union all
    select
        session_date,
        'equity_size_spread' as component_id,
        pair_id as series,
        ratio / lag(ratio, 21) over (partition by pair_id order by session_date)
        - 1 as value
    from signals.equity_pair_daily
),

cut_offs as (
    select 4 as max_carried_days
),

carried as (
    select
        calendar.market_date,
        sessions.component_id,
        sessions.series,
        sessions.value,
        calendar.market_date - sessions.session_date as stale_days
    from calendar
    cross join cut_offs
    inner join sessions
        on
            sessions.session_date
            between calendar.market_date - cut_offs.max_carried_days
            and calendar.market_date
    qualify row_number() over (
        partition by calendar.market_date, sessions.component_id, sessions.series
        order by sessions.session_date desc
    ) = 1
),

final as (
    select * from crypto
    where value is not null
    union all
    select * from carried
    where value is not null
)

select * from final
