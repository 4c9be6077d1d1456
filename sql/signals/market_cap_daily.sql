-- Grain: one row per market_date and source.
-- What the market is worth and how far below its year's peak. own_top100 is our sum
-- over the house top 100, which has no stablecoins; every other source is a provider's
-- total, never spliced with ours. A change of our sum is that of one basket, so a
-- review is none.
with levels as (
    select * from indices.index_level_daily
    where profile = 'house' and index_id = 'top100'
),

members as (
    select * from signals.member_daily
    where index_id = 'top100' and coin_id in ('bitcoin', 'ethereum')
),

provider_totals as (
    select * from staging.global_daily
    where total_market_cap_usd > 0
),

-- One vendor a day: the first by name.
stablecoins as (
    select * from staging.stablecoin_daily
    where total_supply_usd > 0
    qualify row_number() over (partition by market_date order by source) = 1
),

-- Days of a year that the peak needs; a trillion, and the loss that makes a bear
-- market.
cut_offs as (
    select
        292 as min_peak_days,
        1e12 as trillion_usd,
        -0.2 as bear_fraction
),

majors as (
    select
        market_date,
        max(market_cap_usd) filter (where coin_id = 'bitcoin') as bitcoin_cap_usd,
        max(market_cap_usd) filter (where coin_id = 'ethereum') as ethereum_cap_usd
    from members
    group by market_date
),

totals as (
    select
        levels.market_date,
        'own_top100' as source,
        levels.market_value_usd as total_market_cap_usd,
        majors.bitcoin_cap_usd,
        majors.ethereum_cap_usd,
        case
            when lag(levels.market_date) over in_time = levels.market_date - 1
                then levels.level / nullif(lag(levels.level) over in_time, 0) - 1
        end as return_1d_fraction,
        lag(levels.market_value_usd) over in_time as previous_cap_usd,
        stablecoins.total_supply_usd
        / (levels.market_value_usd + stablecoins.total_supply_usd)
            as stablecoin_share_fraction,
        levels.coverage_fraction,
        levels.is_reconstructed
    from levels
    left join majors on levels.market_date = majors.market_date
    left join stablecoins on levels.market_date = stablecoins.market_date
    window in_time as (order by levels.market_date)
    union all
    select
        provider_totals.market_date,
        provider_totals.source,
        provider_totals.total_market_cap_usd,
        provider_totals.total_market_cap_usd * provider_totals.btc_dominance_fraction
            as bitcoin_cap_usd,
        null as ethereum_cap_usd,
        case
            when
                lag(provider_totals.market_date) over by_source
                = provider_totals.market_date - 1
                then
                    provider_totals.total_market_cap_usd
                    / lag(provider_totals.total_market_cap_usd) over by_source - 1
        end as return_1d_fraction,
        lag(provider_totals.total_market_cap_usd) over by_source as previous_cap_usd,
        stablecoins.total_supply_usd / provider_totals.total_market_cap_usd
            as stablecoin_share_fraction,
        cast(1 as double) as coverage_fraction,
        provider_totals.is_reconstructed
    from provider_totals
    left join stablecoins on provider_totals.market_date = stablecoins.market_date
    window
        by_source as (
            partition by provider_totals.source
            order by provider_totals.market_date
        )
),

peaked as (
    select
        totals.*,
        case
            when count(*) over year >= cut_offs.min_peak_days
                then max(totals.total_market_cap_usd) over year
        end as peak_365d_usd,
        cut_offs.trillion_usd,
        cut_offs.bear_fraction
    from totals
    cross join cut_offs
    window
        year as (
            partition by totals.source
            order by totals.market_date
            range between interval 364 days preceding and current row
        )
),

final as (
    select
        market_date,
        source,
        total_market_cap_usd,
        total_market_cap_usd - bitcoin_cap_usd as altcoin_cap_usd,
        total_market_cap_usd - bitcoin_cap_usd
        - ethereum_cap_usd as smaller_altcoin_cap_usd,
        bitcoin_cap_usd / total_market_cap_usd as bitcoin_dominance_fraction,
        ethereum_cap_usd / total_market_cap_usd as ethereum_dominance_fraction,
        stablecoin_share_fraction,
        return_1d_fraction,
        return_1d_fraction * previous_cap_usd as change_1d_usd,
        peak_365d_usd,
        peak_365d_usd - total_market_cap_usd as drawdown_usd,
        total_market_cap_usd / peak_365d_usd - 1 as drawdown_fraction,
        case
            when peak_365d_usd is null then 'insufficient'
            when peak_365d_usd - total_market_cap_usd >= trillion_usd
                then 'trillion_lost'
            when total_market_cap_usd / peak_365d_usd - 1 <= bear_fraction then 'bear'
            else 'normal'
        end as state,
        coverage_fraction,
        is_reconstructed
    from peaked
)

select * from final
