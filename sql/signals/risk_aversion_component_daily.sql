-- Grain: one row per market_date and component_id.
-- The eight parts of risk aversion, each turned so that more is more averse, and each
-- as a percentile of its own last 1,460 days. A part without a figure keeps its row.
with market_caps as (
    select * from signals.market_cap_daily
    where source = 'own_top100'
),

bitcoin as (
    select * from signals.bitcoin_daily
),

spreads as (
    select * from signals.index_spread_daily
    where pair_id = 'small_over_large'
),

breadth as (
    select * from signals.breadth_daily
    where index_id = 'top100_ex_btc'
),

-- Half of a day's perpetuals paid more than the median, half less.
funding as (
    select
        market_date,
        median(funding_rate_fraction) as funding_rate_fraction
    from staging.funding_daily
    where funding_rate_fraction is not null
    group by market_date
),

moods as (
    select * from signals.external_sentiment_daily
    where source = 'alternative_me'
),

-- The New York close falls before the crypto close of the same day; a weekend carries
-- it.
vix as (
    select
        session_date,
        close_points
    from staging.equity_close_daily
    where ticker = 'VIX'
),

cut_offs as (
    select
        365 as min_observations,
        4 as max_carried_days
),

components as (
    select listed.*
    from (
        values
        ('bitcoin_volatility'), ('size_spread'), ('drawdown'), ('stablecoin_share'),
        ('falling_altcoins'), ('funding'), ('vix'), ('fear_greed')
    ) as listed (component_id)
),

shares as (
    select
        today.market_date,
        today.stablecoin_share_fraction - earlier.stablecoin_share_fraction as change
    from market_caps as today
    inner join market_caps as earlier on today.market_date - 30 = earlier.market_date
),

readings as (
    select
        market_date,
        'bitcoin_volatility' as component_id,
        volatility_30d_fraction as value,
        0 as stale_days
    from bitcoin
    union all
    select
        market_date,
        'size_spread' as component_id,
        -spread_30d_fraction as value,
        0 as stale_days
    from spreads
    union all
    select
        market_date,
        'drawdown' as component_id,
        -drawdown_fraction as value,
        0 as stale_days
    from market_caps
    union all
    select
        market_date,
        'stablecoin_share' as component_id,
        change as value,
        0 as stale_days
    from shares
    union all
    select
        market_date,
        'falling_altcoins' as component_id,
        1 - positive_30d_fraction as value,
        0 as stale_days
    from breadth
    union all
    select
        market_date,
        'funding' as component_id,
        -funding_rate_fraction as value,
        0 as stale_days
    from funding
    union all
    select
        market_date,
        'fear_greed' as component_id,
        -score as value,
        stale_days
    from moods
    union all
    select
        market_caps.market_date,
        'vix' as component_id,
        vix.close_points as value,
        market_caps.market_date - vix.session_date as stale_days
    from market_caps
    cross join cut_offs
    inner join vix
        on
            vix.session_date between market_caps.market_date - cut_offs.max_carried_days
            and market_caps.market_date
    qualify row_number() over (
        partition by market_caps.market_date order by vix.session_date desc
    ) = 1
),

ranked as (
    select
        readings.*,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0 * (rank(order by readings.value) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct,
        count(*) over past as observation_count
    from readings
    cross join cut_offs
    where readings.value is not null
    window
        past as (
            partition by readings.component_id
            order by readings.market_date
            range between interval 1459 days preceding and current row
        )
),

final as (
    select
        market_caps.market_date,
        components.component_id,
        ranked.value,
        ranked.percentile_pct,
        coalesce(ranked.observation_count, 0) as observation_count,
        ranked.stale_days
    from market_caps
    cross join components
    left join ranked
        on
            market_caps.market_date = ranked.market_date
            and components.component_id = ranked.component_id
)

select * from final
